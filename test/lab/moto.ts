/** moto: a stand-in for AWS's APIs. It keeps what it is told and refuses little of it: see `route53.ts` for the rest. */
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { startProcess, waitFor } from './process.ts';
import { toolPath } from './tools.ts';

export interface Moto {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Resolves when it answers. `dir` is for its log. */
export async function startMoto(dir: string): Promise<Moto> {
  const [port] = await freePorts('127.0.0.1', 1);
  const url = `http://127.0.0.1:${port}`;
  const part = startProcess({
    name: 'moto',
    argv: [toolPath('moto'), '-H', '127.0.0.1', '-p', String(port)],
    log: join(dir, 'moto.log'),
    // It would look for credentials, and for an instance of EC2 that it runs in.
    env: { AWS_EC2_METADATA_DISABLED: 'true', MOTO_PORT: String(port) },
  });
  try {
    await waitFor('moto answers', async () => (await fetch(`${url}/moto-api/`)).status < 500, { part });
  } catch (error) {
    await part.stop();
    throw error;
  }
  return { url, stop: () => part.stop() };
}
