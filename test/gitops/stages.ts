/** Every state of an object that a GitOps tool must tell apart, and what Argo CD and Flux are to say of it. */
import { firstConditions, type WantedCondition } from '../../src/api/conditions.ts';
import type { KindName } from '../../src/api/kinds.ts';
import { finding, summarise } from '../../src/status/findings.ts';

/** What happens to an object, in turn: the operator reports, or a human edits the spec. */
export type Event =
  | { readonly does: 'Report'; readonly conditions: (now: number, generation: number) => readonly WantedCondition[] }
  | { readonly does: 'Edit' }
  | { readonly does: 'Suspend' };

export interface Stage {
  readonly is: string;
  readonly events: readonly Event[];
  readonly argo: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended';
  /** Of the message that Argo CD shows. */
  readonly words: string;
  /** `Waits`: an expression asks for a status that is not there yet, and Flux goes on asking until its timeout. */
  readonly flux: 'Current' | 'InProgress' | 'Failed' | 'Waits';
}

const report = (conditions: readonly WantedCondition[]): Event => ({ does: 'Report', conditions: () => conditions });
const edit: Event = { does: 'Edit' };
const suspend: Event = { does: 'Suspend' };
const unread = 'waiting for Mailseal to look at it';

const seen: Event = { does: 'Report', conditions: firstConditions };
const ready = report(summarise([], undefined, 'all is well'));
const ordering = report(
  summarise([finding('CertificateReady', 'False', 'OrderPending', 'the CA is at work')], undefined, ''),
);
const blocked = report(
  summarise([finding('StartTLSVerified', 'Unknown', 'PortBlocked', 'port 25 is closed')], undefined, ''),
);
const retried = report(
  summarise([], { kind: 'Retry', reason: 'KubernetesUnavailable', message: 'the API server is away' }, ''),
);
const stalled = report(summarise([], { kind: 'Stalled', reason: 'Conflict', message: 'it is someone else’s' }, ''));

const common: readonly Stage[] = [
  { is: 'applied a moment ago', events: [], argo: 'Progressing', words: unread, flux: 'Waits' },
  { is: 'seen', events: [seen], argo: 'Progressing', words: 'is about to look at it', flux: 'InProgress' },
  { is: 'under way', events: [seen, ordering], argo: 'Progressing', words: 'the CA is at work', flux: 'InProgress' },
  { is: 'not to be known', events: [blocked], argo: 'Progressing', words: 'port 25 is closed', flux: 'InProgress' },
  { is: 'tried again', events: [retried], argo: 'Progressing', words: 'the API server is away', flux: 'InProgress' },
  { is: 'ready', events: [seen, ordering, ready], argo: 'Healthy', words: 'all is well', flux: 'Current' },
  { is: 'ready no longer', events: [ready, ordering], argo: 'Progressing', words: 'at work', flux: 'InProgress' },
  { is: 'stuck', events: [seen, stalled], argo: 'Degraded', words: 'someone else’s', flux: 'Failed' },
  { is: 'stuck no longer', events: [stalled, ready], argo: 'Healthy', words: 'all is well', flux: 'Current' },
  { is: 'ready before an edit', events: [ready, edit], argo: 'Progressing', words: unread, flux: 'InProgress' },
  { is: 'stuck before an edit', events: [stalled, edit], argo: 'Progressing', words: unread, flux: 'InProgress' },
  { is: 'ready after an edit', events: [stalled, edit, ready], argo: 'Healthy', words: 'well', flux: 'Current' },
];

/** Flux has no word for suspended: what it says is what was said before. */
const suspending: readonly Stage[] = [
  { is: 'suspended, unseen yet', events: [ready, suspend], argo: 'Suspended', words: unread, flux: 'InProgress' },
  { is: 'suspended while ready', events: [suspend, ready], argo: 'Suspended', words: 'well', flux: 'Current' },
  { is: 'suspended half-way', events: [suspend, ordering], argo: 'Suspended', words: 'at work', flux: 'InProgress' },
  { is: 'suspended and stuck', events: [suspend, stalled], argo: 'Degraded', words: 'else’s', flux: 'Failed' },
];

export function stagesOf(kind: KindName): readonly Stage[] {
  switch (kind) {
    case 'MailDomain':
    case 'MailExchanger':
      return [...common, ...suspending];
    case 'DNSProvider':
    case 'CertificateIssuer':
    case 'Retirement':
      return common;
  }
}
