/** I14: a domain that says Ready=True is found right from outside, then and there, by the spec that it says it stands for. */
import type { X509Certificate } from 'node:crypto';
import type { MakeRule, PolicyAnswer, RecordSet, Say, Scene, Sighting, Thing } from '../sightings.ts';
import { certificatesIn, covers, namesOf } from './pem.ts';
import { canonical, listedHosts, specOf } from './policy-hosts.ts';
import { idIn, readPolicy } from './policy-text.ts';
import { matches } from './tlsa.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly observedGeneration?: number;
}

/** The latest of each that can be looked at. */
interface Outside {
  readonly sets: Map<string, { readonly set: RecordSet | undefined; readonly from: number }>;
  readonly answers: Map<
    string,
    { readonly answer: PolicyAnswer; readonly chain: readonly X509Certificate[]; readonly from: number }
  >;
  readonly hosts: Map<string, { readonly chain: readonly X509Certificate[] | undefined; readonly from: number }>;
}

/** How long what disagrees with Ready=True must last to be more than an accident, and how long it is looked for. */
const lastingMs = 2000;
const watchedMs = 12_000;

export const readiness: MakeRule = (scene, say) => {
  const roots = scene.roots.flatMap(certificatesIn);
  const outside: Outside = { sets: new Map(), answers: new Map(), hosts: new Map() };
  const exchangers = new Map<string, Thing>();
  const rules = scene.domains.map((domain) => readinessOf({ domain, scene, roots, outside, exchangers }, say));
  return (sighting) => {
    if (sighting.of === 'set') outside.sets.set(`${sighting.server} ${sighting.name} ${sighting.type}`, sighting);
    if (sighting.of === 'served') outside.answers.set(`${sighting.pod} ${sighting.domain}`, sighting);
    if (sighting.of === 'presented') outside.hosts.set(`${sighting.host} ${sighting.address}`, sighting);
    if (sighting.of === 'object' && sighting.thing.kind === 'MailExchanger') {
      const { namespace, name } = sighting.thing.metadata;
      exchangers.set(`${namespace}/${name}`, sighting.thing);
    }
    for (const rule of rules) rule(sighting);
  };
};

interface View {
  readonly domain: string;
  readonly scene: Scene;
  readonly roots: readonly X509Certificate[];
  readonly outside: Outside;
  readonly exchangers: ReadonlyMap<string, Thing>;
}

function readinessOf(view: View, say: Say): (sighting: Sighting) => void {
  const { domain } = view;
  let ready: { readonly thing: Thing; readonly since: number } | undefined;
  let doubts = new Map<string, number>();
  let killed = false;

  const noteObject = (thing: Thing, gone: boolean, at: number): void => {
    if (thing.kind !== 'MailDomain' || canonical(specOf(thing).domain) !== domain) return;
    const { generation = 0, uid } = thing.metadata;
    const condition = (thing.status?.['conditions'] as readonly Condition[] | undefined)?.find(
      ({ type }) => type === 'Ready',
    );
    const seen = condition?.observedGeneration ?? 0;
    if (seen > generation)
      say('I14', at, `Ready of ${domain} was observed for generation ${seen}, which does not exist`);
    const is = !gone && condition?.status === 'True' && seen === generation;
    const same = ready?.thing.metadata.uid === uid && ready?.thing.metadata.generation === generation;
    if (is && same && ready !== undefined) return;
    if (!is && !same && ready === undefined) return;
    ready = is ? { thing, since: at } : undefined;
    doubts = new Map();
  };

  const look = (at: number): void => {
    if (ready === undefined || killed || at - ready.since > watchedMs) return;
    const found = disagreements(view, ready.thing, ready.since);
    doubts = new Map(found.map((doubt) => [doubt, doubts.get(doubt) ?? at]));
    for (const [doubt, since] of doubts) {
      if (at - since >= lastingMs) say('I14', at, `${domain} says Ready=True, but ${doubt}`);
    }
  };

  return (sighting) => {
    if (sighting.of === 'object') noteObject(sighting.thing, sighting.change === 'Gone', sighting.at);
    // What somebody else has changed since then, the operator may find out when it looks again.
    if (sighting.of === 'told' && sighting.told.is === 'changed-by-others') ready = undefined;
    if (sighting.of === 'told') killed = sighting.told.is === 'killed' || (killed && sighting.told.is !== 'started');
    if (sighting.of === 'tick') look(sighting.at);
  };
}

/** Only what was looked at since then counts. */
function disagreements(view: View, thing: Thing, since: number): readonly string[] {
  const listed = listedHosts(thing, view.exchangers);
  return [...records(view, thing, since), ...policies(view, listed, since), ...mailHosts(view, listed, since)];
}

function records({ domain, scene, outside }: View, thing: Thing, since: number): readonly string[] {
  const rua = specOf(thing).tlsRpt?.rua ?? [];
  return scene.servers.flatMap((server) => {
    const at = (name: string, type: string): RecordSet | undefined | 'Unseen' => {
      const found = outside.sets.get(`${server} ${name} ${type}`);
      return found === undefined || found.from < since ? 'Unseen' : found.set;
    };
    const [txt, address, report] = [
      at(`_mta-sts.${domain}`, 'TXT'),
      at(`mta-sts.${domain}`, 'A'),
      at(`_smtp._tls.${domain}`, 'TXT'),
    ];
    const said = report === 'Unseen' ? undefined : (report?.values.join(' ') ?? '');
    return [
      ...(txt !== 'Unseen' && idIn(txt) === undefined ? [`${server} shows no id of its policy`] : []),
      ...(address === undefined ? [`${server} shows no address of mta-sts.${domain}`] : []),
      ...(said === undefined ? [] : rua.filter((one) => !said.includes(one)).map((one) => `${server} shows no ${one}`)),
    ];
  });
}

function policies(
  { domain, scene, roots, outside }: View,
  listed: readonly string[],
  since: number,
): readonly string[] {
  return scene.pods.flatMap((pod) => {
    const found = outside.answers.get(`${pod} ${domain}`);
    if (found === undefined || found.from < since || found.answer.is === 'Silent') return [];
    const policy = found.answer.is === 'Body' ? readPolicy(found.answer.body) : undefined;
    if (policy === undefined) return [`pod ${pod} serves no policy`];
    const missing = listed.filter((host) => !covers(policy.mx, host));
    const trust = untrusted(found.chain, `mta-sts.${domain}`, roots);
    return [
      ...missing.map((host) => `the policy on pod ${pod} does not name ${host}`),
      ...(trust === undefined ? [] : [`pod ${pod} ${trust}`]),
    ];
  });
}

function mailHosts({ scene, roots, outside }: View, listed: readonly string[], since: number): readonly string[] {
  return scene.hosts.flatMap(({ host, address }) => {
    const found = outside.hosts.get(`${host} ${address}`);
    if (!listed.includes(host) || found === undefined || found.from < since) return [];
    if (found.chain === undefined) return [`${host} at ${address} offers no STARTTLS`];
    const { chain } = found;
    const trust = untrusted(chain, host, roots);
    const sets = scene.servers.flatMap((server) => outside.sets.get(`${server} _25._tcp.${host} TLSA`)?.set ?? []);
    const wrong = sets.some(({ values }) => !matches(values, chain));
    return [
      ...(trust === undefined ? [] : [`${host} at ${address} ${trust}`]),
      ...(wrong ? [`the TLSA set of ${host} does not match what it presents`] : []),
    ];
  });
}

/** Why a sender that follows MTA-STS refuses a chain; undefined where it does not. */
function untrusted(
  chain: readonly X509Certificate[],
  host: string,
  roots: readonly X509Certificate[],
): string | undefined {
  const [leaf] = chain;
  if (leaf === undefined) return 'presents no certificate';
  if (!covers(namesOf(leaf), host)) return `presents a certificate for ${namesOf(leaf).join(', ') || 'nobody'}`;
  if (roots.length === 0) return undefined;
  const issued = chain.every((one, index) => {
    const above = chain[index + 1];
    const by = above === undefined ? roots : [above];
    return by.some((issuer) => one.checkIssued(issuer) && one.verify(issuer.publicKey));
  });
  return issued ? undefined : `presents a chain that leads to no trusted root (${leaf.issuer})`;
}
