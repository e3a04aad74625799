/** What the API server says of an object that it is not to store. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { type KindName, kinds } from '../../src/api/kinds.ts';
import { apiVersion } from '../../src/api/types.ts';
import type { ControlPlane } from '../lab/controlplane.ts';

export interface Verdict {
  readonly accepted: boolean;
  /** As kubectl shows it to the user; empty where it was accepted. */
  readonly message: string;
  /** What it would have stored. */
  readonly stored?: unknown;
}

export interface Judge {
  readonly judge: (kind: KindName, spec: unknown, name?: string) => Promise<Verdict>;
  readonly close: () => void;
}

/** Asks without kubectl, which takes a hundred times as long. */
export function createJudge(plane: ControlPlane): Judge {
  const agent = new Agent({ ca: readFileSync(plane.caFile), keepAlive: true, maxSockets: 4 });
  const post = (path: string, body: string): Promise<{ readonly status: number; readonly text: string }> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${plane.adminToken}`, 'content-type': 'application/json' };
      const sent = request(`${plane.server}${path}`, { method: 'POST', agent, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => void parts.push(part)).once('error', reject);
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
      });
      sent.once('error', reject).end(body);
    });
  return {
    judge: async (kind, spec, name = 'sample') => {
      const { plural, scope } = kinds[kind];
      const namespace = scope === 'Namespaced' ? 'mail' : undefined;
      const where = namespace === undefined ? '' : `/namespaces/${namespace}`;
      const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
      const path = `/apis/${apiVersion}${where}/${plural}?dryRun=All&fieldValidation=Strict`;
      const { status, text } = await post(path, JSON.stringify({ apiVersion, kind, metadata, spec }));
      const answer = JSON.parse(text) as { readonly message?: string; readonly spec?: unknown };
      const { message = '' } = answer;
      if (status === 201) return { accepted: true, message: '', stored: answer.spec };
      if (status !== 400 && status !== 422 && status !== 413)
        throw new Error(`the API server answered ${status}: ${message}`);
      return { accepted: false, message };
    },
    close: () => agent.destroy(),
  };
}
