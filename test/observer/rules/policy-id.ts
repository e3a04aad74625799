/**
 * I2: an id is announced only when every policy pod serves its body; a changed body gets a new id; no id comes again or
 * stands for two bodies, and none changes without a publication.
 */
import type { MakeRule, PolicyAnswer, Say, Scene, Sighting, Thing } from '../sightings.ts';
import { shardOf } from './pem.ts';
import { addedText } from '../update.ts';
import { idIn, idOf, quoted } from './policy-text.ts';

interface Announcement {
  readonly id: string;
  readonly at: number;
  /** Nobody can have seen the id before what is seen of the pods now. */
  readonly exact: boolean;
  readonly before: ReadonlyMap<string, PolicyAnswer>;
  readonly after: Map<string, PolicyAnswer>;
  /** What the operator had written for the pods. */
  readonly written: string | null | undefined;
  readonly previous: string | undefined;
  /** Nothing else was written for the pods since the previous id. */
  readonly unchanged: boolean;
}

export const policyIds: MakeRule = (scene, say) => {
  const rules = scene.domains.map((domain) => idsOf(domain, scene, say));
  return (sighting) => {
    for (const rule of rules) rule(sighting);
  };
};

function idsOf(domain: string, scene: Scene, say: Say): (sighting: Sighting) => void {
  const shown = new Map<string, string[]>();
  const announced = new Set<string>();
  const pods = new Map<string, PolicyAnswer>();
  const bodies = new Map<string, string>();
  let pending: Announcement[] = [];
  const written: { readonly at: number; readonly policy: string | null }[] = [];
  const asked = new Map<string, number>();
  let publications = 0;

  /** `since`: the id was surely not shown before. */
  const announce = (id: string, since: number, at: number, exact: boolean): void => {
    const previous = [...announced].at(-1);
    const unchanged = written.length > 0 && previous !== undefined && publications === 0;
    const policy = written.findLast((one) => one.at <= since)?.policy;
    pending.push({ id, at, exact, before: new Map(pods), after: new Map(), written: policy, previous, unchanged });
  };

  const noteId = (server: string, id: string, at: number): void => {
    const ids = shown.get(server) ?? [];
    if (ids.at(-1) === id) return;
    if (ids.includes(id)) say('I2', at, `${server} announces id ${id} of ${domain} again, after ${ids.at(-1)}`);
    shown.set(server, [...ids, id]);
    if (announced.has(id)) return;
    announce(id, asked.get(server) ?? 0, at, false);
    announced.add(id);
    publications = 0;
  };

  const judge = (one: Announcement, at: number): void => {
    const { id, written } = one;
    // What a pod served before and after, it served when the id was seen.
    const sure = [...one.after].filter(([pod, answer]) => one.exact || same(one.before.get(pod), answer));
    const texts = new Set(sure.flatMap(([, answer]) => (answer.is === 'Body' ? [answer.body] : [])));
    for (const [pod, answer] of sure) {
      if (answer.is === 'NoPolicy' || answer.is === 'UnknownHost') {
        say('I2', at, `id ${id} of ${domain} is announced while pod ${pod} serves no policy`);
      }
      if (answer.is !== 'Body') continue;
      const late = typeof written === 'string' && answer.body !== written;
      if (late)
        say('I2', at, `id ${id} of ${domain} is announced while pod ${pod} still serves ${quoted(answer.body)}`);
    }
    if (texts.size > 1) say('I2', at, `id ${id} of ${domain} is announced while pods serve different policies`);
    const [body] = texts;
    if (body === undefined || texts.size > 1) return;
    bodies.set(id, bodies.get(id) ?? body);
    const needless = one.unchanged && !one.exact && bodies.get(one.previous ?? '') === body;
    if (needless) say('I2', at, `id ${one.previous} of ${domain} became ${id} without another policy`);
  };

  const settle = (at: number): void => {
    const live = new Set([...shown.values()].map((ids) => ids.at(-1)));
    const [id] = live;
    const body = id === undefined || live.size > 1 ? undefined : bodies.get(id);
    if (body === undefined) return;
    for (const [pod, answer] of pods) {
      if (answer.is !== 'Body' || answer.body === body) continue;
      say(
        'I2',
        at,
        `id ${id} of ${domain} stands for two policies: ${quoted(body)}, and ${quoted(answer.body)} on ${pod}`,
      );
    }
  };

  const noteServed = ({ pod, answer, from, to }: Extract<Sighting, { of: 'served' }>): void => {
    if (answer.is === 'Silent') return;
    pods.set(pod, answer);
    for (const one of pending) if (from >= one.at && !one.after.has(pod)) one.after.set(pod, answer);
    const ripe = pending.filter(({ after }) => after.size === scene.pods.length);
    pending = pending.filter((one) => !ripe.includes(one));
    for (const one of ripe) judge(one, to);
  };
  const noteShard = (thing: Thing, at: number): void => {
    const entry = thing.kind === 'Secret' ? shardOf(thing)[`mta-sts.${domain}`] : undefined;
    if (entry === undefined || entry.policy === written.at(-1)?.policy) return;
    written.push({ at, policy: entry.policy });
    publications += 1;
  };

  return (sighting) => {
    if (sighting.of === 'set' && sighting.type === 'TXT' && sighting.name === `_mta-sts.${domain}`) {
      const id = idIn(sighting.set);
      if (id !== undefined) noteId(sighting.server, id, sighting.to);
      asked.set(sighting.server, sighting.from);
    }
    if (sighting.of === 'write' && sighting.wire === 'dns' && sighting.stage === 'Arrives') {
      const id = idOf(addedText(sighting.body, `_mta-sts.${domain}`) ?? '');
      if (id !== undefined && !announced.has(id)) announce(id, sighting.at, sighting.at, true);
    }
    if (sighting.of === 'served' && sighting.domain === domain) noteServed(sighting);
    if (sighting.of === 'object' && sighting.change !== 'Gone') noteShard(sighting.thing, sighting.at);
    if (sighting.of === 'told' && sighting.told.is === 'settled') settle(sighting.at);
    // Whatever others did may have made the operator announce anew what it could not know to stand.
    if (sighting.of === 'told' && sighting.told.is === 'changed-by-others') publications += 1;
  };
}

const same = (a: PolicyAnswer | undefined, b: PolicyAnswer): boolean =>
  a?.is === b.is && (a.is !== 'Body' || b.is !== 'Body' || a.body === b.body);
