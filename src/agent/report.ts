/** The report ConfigMap: written when it says something new, or once a day so that its age says that we live. */
import { type Attestation, attestationDataKey, formatAttestation, parseAttestation } from '../api/attestation.ts';
import { messageOf } from '../errors.ts';
import type { ConfigMapObject, Kube } from '../kube/types.ts';
import type { Log } from '../log.ts';
import type { AgentFile } from './agent-file.ts';

const dayMs = 86_400_000;

export interface Report {
  /** Rejects with KubeError; the same attestation is then written at the next call. */
  readonly attest: (attestation: Attestation) => Promise<void>;
}

/**
 * What the operator reads is about the server that takes mail. Dovecot stands on the same host: what it presents is
 * reported beside that, for people.
 */
function placeOf({ mailServer }: AgentFile): { readonly key: string; readonly fieldManager: string } {
  return mailServer === 'dovecot'
    ? { key: 'dovecot.json', fieldManager: 'mailseal-agent-dovecot' }
    : { key: attestationDataKey, fieldManager: 'mailseal-agent' };
}

export function createReport(kube: Kube, file: () => AgentFile, log: Log): Report {
  const { key, fieldManager } = placeOf(file());
  let last: Attestation | undefined;
  let known = false;
  const read = async (): Promise<void> => {
    const { namespace, configMapName: name } = file();
    const found = await kube.get<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name });
    const text = found?.data?.[key];
    try {
      last = text === undefined ? undefined : parseAttestation(text);
    } catch (error) {
      log.warn('the last attestation is replaced', { problem: messageOf(error) });
    }
    known = true;
  };
  const attest = async (attestation: Attestation): Promise<void> => {
    if (!known) await read();
    if (last !== undefined && saysSame(last, attestation) && attestation.at - last.at < dayMs) return;
    const { namespace, configMapName: name } = file();
    await kube.apply<ConfigMapObject>(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace },
        data: { [key]: formatAttestation(attestation) },
      },
      { fieldManager },
    );
    last = attestation;
    log.info('attested', { presents: attestation.presents?.spkiSha256, error: attestation.error });
  };
  return { attest };
}

function saysSame(a: Attestation, b: Attestation): boolean {
  return formatAttestation({ ...a, at: 0 }) === formatAttestation({ ...b, at: 0 });
}
