/** The observer of what happens on a lane of the fault harness. */
import { readFileSync } from 'node:fs';
import type { Ground, Lane } from '../faults/lane.ts';
import { places } from '../lab/lab.ts';
import { type Observer, type ObserverSpec, startObserver } from './observer.ts';

interface Watched extends Partial<Pick<ObserverSpec, 'deadlines' | 'everyMs' | 'insecure' | 'servers'>> {
  readonly domains: readonly string[];
  readonly zones: readonly string[];
  readonly hosts: ObserverSpec['hosts'];
}

/** To be started when the lane is clean and granted, and before anything of the run is applied. */
export function observeLane(ground: Ground, lane: Lane, watched: Watched): Promise<Observer> {
  const { plane, policyServers } = lane;
  return startObserver({
    api: { url: plane.server, token: plane.adminToken, ca: readFileSync(plane.caFile, 'utf8') },
    servers: [places.primary.v4, places.secondary.v4],
    pods: policyServers,
    insecure: [],
    roots: [readFileSync(ground.rootsFile, 'utf8')],
    operatorNamespace: 'mailseal-system',
    ...watched,
  });
}
