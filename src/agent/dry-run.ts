/** What a run would write and do, said and not done. No key is ever shown. */
import { X509Certificate } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { createKube } from '../kube/client.ts';
import type { SecretObject } from '../kube/types.ts';
import { accessOf, type AgentFile, type Installation } from './agent-file.ts';
import { contentsOf, type Pair, pairFromContents, pairOf } from './pair.ts';
import { readPlace } from './place.ts';
import { openServer } from './servers/open.ts';
import type { Lacking, MailServer, TlsFiles } from './servers/server.ts';
import { unifiedDiff } from './text-diff.ts';
import { userAgent } from './user-agent.ts';

/** A pair, or why there is none. */
export type Offered = Pair | { readonly problem: string };

/** What the cluster holds for this host now. Never rejects. */
export async function offeredByCluster(file: AgentFile, now: number): Promise<Offered> {
  const { namespace, secretName: name } = file;
  const access = accessOf(() => file);
  const kube = createKube(access, { userAgent });
  try {
    const secret = await kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    return secret === undefined ? { problem: `there is no Secret ${namespace}/${name} yet` } : pairOf(secret, now);
  } catch (error) {
    return { problem: messageOf(error) };
  } finally {
    kube.close();
  }
}

/** The text of a preview. Rejects when files or the mail server's configuration can't be read. */
export async function preview(
  installation: Installation,
  offered: Offered,
  { configure, now }: { readonly configure: boolean; readonly now: number },
): Promise<string> {
  const { mailServer, mailConfig, files, resolvers } = installation;
  const server = openServer(mailServer, mailConfig);
  const lacking = await server.lacking(files);
  const port = installation.port ?? (await server.port());
  const asked = resolvers === 'off' ? 'nobody is asked' : `${resolvers.servers.join(' or ')} is asked`;
  const how = port.tls === 'StartTls' ? ' with STARTTLS' : '';
  return [
    ...(await fileLines(server, files, offered, now)),
    ...configurationLines(server, lacking, configure),
    'Commands:',
    `  ${server.test.command}`,
    `  ${server.reload.command}`,
    `Before, for a new key, ${asked} whether live TLSA records match it.`,
    `After, ${port.address} port ${port.port}${how} must present it; else all is put back as it is now and reloaded again.`,
    'Nothing was written.',
    '',
  ].join('\n');
}

async function fileLines(
  server: MailServer,
  files: TlsFiles,
  offered: Offered,
  now: number,
): Promise<readonly string[]> {
  const { uid, gid, mode } = await server.owner();
  const place = await readPlace(files);
  const head = `Files, mode 0${mode.toString(8)}, owner ${uid}:${gid}:`;
  if ('problem' in offered) {
    const paths = Object.values<string>(files).map((path) => `  ${path}: key and chain, once there are some`);
    return [head, ...paths, `  There are none now: ${offered.problem}`];
  }
  const lines = [...contentsOf(files, offered)].map(([path, content]) => {
    if (place.now.get(path) === content) return `  ${path}: holds this already`;
    return `  ${path}: ${place.now.has(path) ? 'replaced' : 'new'}`;
  });
  return [head, ...lines, `  now:  ${standing(files, place.now, now)}`, `  then: ${described(offered)}`];
}

function standing(files: TlsFiles, contents: ReadonlyMap<string, string>, now: number): string {
  if (contents.size === 0) return 'nothing';
  try {
    return described(pairFromContents(files, contents, now));
  } catch (error) {
    return messageOf(error);
  }
}

function described({ chain, spkiSha256 }: Pair): string {
  const { serialNumber, validToDate } = new X509Certificate(chain);
  return `serial ${serialNumber.toLowerCase()}, until ${validToDate.toISOString()}, TLSA 3 1 1 ${spkiSha256}`;
}

function configurationLines(server: MailServer, { settings, edits }: Lacking, configure: boolean): readonly string[] {
  if (settings.length === 0) return [`Configuration: ${server.config} needs no change.`];
  const needs = settings.map((setting) => `  ${setting}`);
  if (edits.length === 0) return [`Configuration: ${server.name} needs, and only you can set:`, ...needs];
  const diffs = edits.map(({ path, before, after }) => unifiedDiff(path, before, after).trimEnd());
  const written = 'Configuration, written:';
  return [
    configure ? written : 'Configuration, not written; this is what --configure would write:',
    ...needs,
    ...diffs,
  ];
}
