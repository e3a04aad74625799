/** I6: at most one ACME order for a set of names is open, and one that is stored is gone on with. */
import type { MakeRule, Thing } from '../sightings.ts';
import { jsonOf } from './pem.ts';
import { namesInRequest } from './csr.ts';

interface StoredOrder {
  readonly url: string;
  readonly names: readonly string[];
}

const identityOf = (names: readonly string[]): string =>
  [...names]
    .map((name) => name.toLowerCase())
    .sort()
    .join(' ');

export const openOrders: MakeRule = (_scene, say) => {
  /** By Secret: the order that its owner goes on with. */
  const stored = new Map<string, StoredOrder>();
  const opened = new Map<string, number>();
  const finalized = new Map<string, number>();
  let killed = 0;

  const noteSecret = (thing: Thing, gone: boolean): void => {
    const { namespace, name } = thing.metadata;
    const key = `${namespace}/${name}`;
    const state = gone ? undefined : (jsonOf(thing, 'state.json') as { readonly order?: StoredOrder } | undefined);
    const order = state?.order;
    if (order === undefined) stored.delete(key);
    else stored.set(key, order);
  };

  const noteOpening = (names: readonly string[], at: number, done: boolean): void => {
    const identity = identityOf(names);
    const standing = [...stored.values()].find((order) => identityOf(order.names) === identity);
    if (!done && standing !== undefined)
      say('I6', at, `an order for ${identity} is opened while one of them is stored`);
    if (!done) return;
    const count = (opened.get(identity) ?? 0) + 1;
    opened.set(identity, count);
    // The answer to an order that a kill took away is lost, and the order with it.
    const most = (finalized.get(identity) ?? 0) + killed + 1;
    if (count > most)
      say('I6', at, `${count} orders for ${identity} were opened, and no more than ${most} can be needed`);
  };

  return (sighting) => {
    if (sighting.of === 'told' && sighting.told.is === 'killed') killed += 1;
    if (sighting.of === 'object' && sighting.thing.type === 'mailseal.dev/state') {
      noteSecret(sighting.thing, sighting.change === 'Gone');
    }
    if (sighting.of !== 'write' || sighting.wire !== 'acme' || sighting.stage === 'Refused') return;
    const payload = payloadOf(sighting.body);
    const done = sighting.stage === 'Done';
    if (payload.identifiers !== undefined) {
      const names = payload.identifiers.map(({ value }) => value);
      noteOpening(names, sighting.at, done);
    }
    if (payload.csr !== undefined && done) {
      const identity = identityOf(namesInRequest(Buffer.from(payload.csr, 'base64url')));
      finalized.set(identity, (finalized.get(identity) ?? 0) + 1);
    }
  };
};

interface Payload {
  readonly identifiers?: readonly { readonly value: string }[];
  readonly csr?: string;
}

/** RFC 8555 §6.2: every request is a JWS in its JSON form. */
function payloadOf(body: Buffer): Payload {
  const { payload = '' } = JSON.parse(body.toString()) as { readonly payload?: string };
  return payload === '' ? {} : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Payload);
}
