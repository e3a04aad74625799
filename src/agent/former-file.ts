/** Agent files of before there were other mail servers than Postfix: an upgraded agent goes on with the one it has. */
import { defaultResolvers } from './default-resolvers.ts';

/** The same in the words of now; what is of now already comes back as it is. */
export function withFormerNames(raw: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { postfixDir, smtp, ...rest } = raw;
  if (typeof postfixDir !== 'string' || raw['mailServer'] !== undefined) return raw;
  const port = typeof smtp === 'object' && smtp !== null ? { port: { ...smtp, tls: 'StartTls' } } : {};
  return { ...rest, mailServer: 'postfix', mailConfig: postfixDir, ...port, resolvers: defaultResolvers };
}
