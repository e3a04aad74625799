import { type KindName, isKindName, kinds } from '../api/kinds.ts';
import { apiVersion, group, type MailDomainSpec } from '../api/types.ts';
import { unknownFields, unknownFieldWords } from '../api/unknown-fields.ts';
import { validate } from '../api/validate.ts';
import { type Problem, parsed, type ProblemList, problemList, quoted } from '../dns/problem.ts';
import { type ManifestObject, readManifest } from './manifest.ts';

interface Named {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** What a manifest holds. */
interface Linted {
  readonly objects: readonly Named[];
  /** Of kinds that are not ours: nothing is said of them. */
  readonly passedOver: readonly Named[];
}

export interface LintedManifest {
  readonly ok: boolean;
  readonly value: Linted | undefined;
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

const yamlRules = 'YAML 1.2.2';
const pageOf = (kind: KindName): string => `docs/${kind.toLowerCase()}.md`;

const named = ({ kind, metadata: { namespace, name } }: ManifestObject): Named => ({
  kind,
  ...(namespace === undefined ? {} : { namespace }),
  name,
});

/** `MailDomain mail/example`. */
const words = ({ kind, namespace, name }: Named): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;

/** Reads a manifest as the API server and the operator do. Never throws. */
export function lintManifest(text: string): LintedManifest {
  const list = problemList();
  const { objects, problems } = readManifest(text);
  for (const { code, message } of problems) list.error(code, message, yamlRules);
  if (objects.length === 0 && problems.length === 0) list.error('NoObject', 'There is no object.', yamlRules);
  const ours = objects.filter((object) => isOfOurGroup(object));
  const others = objects.filter((object) => !isOfOurGroup(object)).map(named);
  const seen = new Set<string>();
  for (const object of ours) {
    const name = words(named(object));
    if (seen.has(name)) list.error('DuplicateObject', `${name} stands there twice.`, yamlRules);
    seen.add(name);
    lintObject(object, seenIn(ours), list);
  }
  const value: Linted = { objects: ours.map(named), passedOver: others };
  return { ...parsed(value, list), notes: others.map((one) => `${words(one)} is passed over: it is not of ${group}`) };
}

const isOfOurGroup = (object: ManifestObject): boolean =>
  object.apiVersion === group || object.apiVersion.startsWith(`${group}/`);

type Found = (kind: KindName, name: string, namespace?: string) => boolean;

const seenIn =
  (objects: readonly ManifestObject[]): Found =>
  (kind, name, namespace) =>
    objects.some(
      (one) =>
        one.kind === kind &&
        one.metadata.name === name &&
        (kinds[kind].scope === 'Cluster' || one.metadata.namespace === namespace),
    );

function lintObject(object: ManifestObject, found: Found, list: ProblemList): void {
  const { kind } = object;
  const name = words(named(object));
  if (!isKindName(kind)) {
    const known = Object.keys(kinds).join(', ');
    return list.error('UnknownKind', `${quoted(kind)} is no kind of ${group}; there are ${known}.`, 'docs/');
  }
  const page = pageOf(kind);
  if (object.apiVersion !== apiVersion)
    return list.error(
      'UnknownKind',
      `${name} is of ${quoted(object.apiVersion)}; this program reads ${apiVersion}.`,
      page,
    );
  const problems = validate(kind, object);
  for (const { message } of problems) list.error('InvalidField', `${name}: ${message}.`, page);
  for (const path of unknownFields(kind, object.spec))
    list.error('UnknownField', `${name}: ${unknownFieldWords(path)}.`, page);
  if (problems.length > 0) return;
  for (const { path, to } of referencesOf(object)) {
    if (found(to.kind, to.name, to.namespace)) continue;
    list.warning('UnresolvedReference', `${name}: ${path} names the ${words(to)}, which is not in this text.`, page);
  }
}

interface Reference {
  readonly path: string;
  readonly to: Named & { readonly kind: KindName };
}

/** Whatever a spec that is right refers to by name. Both kinds that refer share their fields' names. */
function referencesOf({ spec, metadata, kind }: ManifestObject): readonly Reference[] {
  if (kind !== 'MailDomain' && kind !== 'MailExchanger') return [];
  const { dnsProviderRef, mx, mtaSts, exchangerRefs, certificate } = spec as Partial<MailDomainSpec> &
    Pick<NonNullable<MailDomainSpec['mx']>, 'certificate'>;
  const to = (path: string, of: KindName, ref: { readonly name: string } | undefined): readonly Reference[] =>
    ref === undefined ? [] : [{ path, to: { kind: of, name: ref.name } }];
  const exchangers = (exchangerRefs ?? []).map(({ name, namespace = metadata.namespace }, index): Reference => {
    const place = namespace === undefined ? {} : { namespace };
    return { path: `spec.exchangerRefs[${index}]`, to: { kind: 'MailExchanger', name, ...place } };
  });
  return [
    ...to('spec.dnsProviderRef', 'DNSProvider', dnsProviderRef),
    ...to('spec.certificate.issuerRef', 'CertificateIssuer', certificate?.issuerRef),
    ...to('spec.mx.certificate.issuerRef', 'CertificateIssuer', mx?.certificate?.issuerRef),
    ...to('spec.mtaSts.issuerRef', 'CertificateIssuer', mtaSts?.issuerRef),
    ...exchangers,
  ];
}
