/** Which objects a plan is about: those of the files, and those of the cluster that live by what the files change. */
import { canonical } from '../api/canonical.ts';
import type { CertificateIssuer, DNSProvider, MailDomain, MailExchanger } from '../api/types.ts';
import { messageOf } from '../errors.ts';
import type { KubeObject } from '../kube/types.ts';
import { refersTo } from '../reconcile/cached.ts';
import { loadDomain } from '../reconcile/domain.ts';
import { grantDomain, issuerOfDomain } from '../reconcile/domain-plan.ts';
import { identityOfExchanger } from '../reconcile/exchanger.ts';
import { wishExchanger } from '../reconcile/exchanger-plan.ts';
import type { World } from '../world.ts';
import type { Selection } from './objects.ts';

/** What the cluster has without the files. */
export interface Standing {
  readonly providers: readonly DNSProvider[];
  readonly issuers: readonly CertificateIssuer[];
  readonly exchangers: readonly MailExchanger[];
}

type Known = Pick<World, 'cache' | 'store' | 'outside' | 'recents'>;
type Specified = KubeObject & { readonly spec: object };

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;
const among =
  (objects: readonly KubeObject[]) =>
  (one: KubeObject): boolean =>
    objects.some((object) => object.kind === one.kind && keyOf(object) === keyOf(one));

/** Whether the cluster has it otherwise, or not at all. */
const isNew = (standing: readonly Specified[]) => (one: Specified) =>
  canonical(standing.find((live) => keyOf(live) === keyOf(one))?.spec ?? null) !== canonical(one.spec);

/** `standing` is undefined where there is no cluster: then the files are all that there is. */
export async function select(
  world: Known,
  files: readonly KubeObject[],
  standing: Standing | undefined,
): Promise<Selection> {
  const { cache } = world;
  const given = among(files);
  const own = {
    providers: cache.providers().filter(given),
    issuers: cache.issuers().filter(given),
    exchangers: cache.exchangers().filter(given),
    domains: cache.domains().filter(given),
  };
  if (standing === undefined) return own;
  const onlyGrants = own.exchangers.length + own.domains.length === 0;
  const providers = own.providers.filter((one) => onlyGrants || isNew(standing.providers)(one));
  const issuers = own.issuers.filter((one) => onlyGrants || isNew(standing.issuers)(one));
  const exchangers = own.exchangers.filter(isNew(standing.exchangers));
  const changed = new Set([...providers, ...issuers].map(nameOf));
  const before = { ...cache, providers: () => standing.providers, issuers: () => standing.issuers };
  const isAffected = async (uses: (of: World['cache']) => Promise<readonly string[]>): Promise<boolean> => {
    if (changed.size === 0) return false;
    const [was, is] = [await uses(before), await uses(cache)];
    return canonical(was) !== canonical(is) || is.some((name) => changed.has(name));
  };
  const more = { exchangers: [] as MailExchanger[], domains: [] as MailDomain[] };
  for (const one of cache.exchangers())
    if (!given(one) && (await isAffected((of) => usedByExchanger(world, of, one)))) more.exchangers.push(one);
  for (const one of cache.domains()) {
    if (given(one)) continue;
    const refers = exchangers.some((exchanger) => refersTo(one, keyOf(exchanger)));
    if (refers || (await isAffected((of) => usedByDomain(world, of, one)))) more.domains.push(one);
  }
  return {
    ...own,
    exchangers: [...own.exchangers, ...more.exchangers],
    domains: [...own.domains, ...more.domains],
  };
}

const nameOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;

/** What an exchanger would be granted, or why it is granted nothing. */
function usedByExchanger(world: Known, cache: World['cache'], one: MailExchanger): Promise<readonly string[]> {
  return orWhyNot(async () => {
    const stored = await world.store.load('exchanger', identityOfExchanger(one));
    const { issuer, hosts } = await wishExchanger({ ...world, cache }, one, stored);
    return [`CertificateIssuer ${issuer}`, ...hosts.map(({ grant }) => `DNSProvider ${grant.provider}`)];
  });
}

function usedByDomain(world: Known, cache: World['cache'], one: MailDomain): Promise<readonly string[]> {
  return orWhyNot(async () => {
    const stored = await loadDomain(world, one, 0);
    const { domain, grant } = await grantDomain({ ...world, cache }, one, stored);
    const issuer = issuerOfDomain({ cache }, one, domain, stored);
    return [`CertificateIssuer ${issuer}`, `DNSProvider ${grant.provider}`];
  });
}

async function orWhyNot(ask: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await ask();
  } catch (error) {
    return [messageOf(error)];
  }
}
