import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { places } from '../../lab/lab.ts';
import { type Pebble, startPebble, type PebbleSpec } from '../../lab/pebble.ts';
import { toolPath } from '../../lab/tools.ts';
import type { Stage } from './fault.ts';

/** Above the port of the CA that all lanes share, and that of its management. */
let nextPort = 14_100;

type Other = Pick<PebbleSpec, 'nonceRejectPercent' | 'intermediates' | 'alternateRoots'>;

/** Another CA, whose roots an operator trusts that is started from now on; it ends with the row. */
export async function anotherCa(stage: Stage, other: Other): Promise<Pebble> {
  const port = nextPort;
  nextPort += 2;
  const pebble = await startPebble({
    ...other,
    dir: join(stage.ground.dir, `ca-${port}`),
    binary: toolPath('pebble'),
    address: places.acme,
    port,
    dnsServer: places.caResolver,
  });
  stage.atEnd(pebble.stop);
  for (let chain = 0; chain <= (other.alternateRoots ?? 0); chain += 1) {
    appendFileSync(stage.ground.rootsFile, await pebble.rootPem(chain));
  }
  return pebble;
}
