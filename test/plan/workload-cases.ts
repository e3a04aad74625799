/** Builders of workloads and pods: each makes something that has started with nothing of ours. */
import type { ObservedPod, ObservedWorkload } from '../../src/plan/workloads.ts';
import { day, now } from './cases.ts';

type Seen = Extract<ObservedWorkload, { readonly is: 'Seen' }>;

export const pod = (name: string, change: Partial<ObservedPod> = {}): ObservedPod => ({
  name,
  revision: undefined,
  createdAt: now - 30 * day,
  ready: true,
  leaving: false,
  ...change,
});

export const seenWorkload = (change: Partial<Seen> = {}): Seen => ({
  kind: 'StatefulSet',
  name: 'postfix',
  is: 'Seen',
  uid: 'uid-1',
  revision: undefined,
  complete: true,
  halted: undefined,
  pods: [pod('postfix-0'), pod('postfix-1')],
  ...change,
});
