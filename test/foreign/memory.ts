/** `node memory.ts FIRST COUNT`: sequences in memory; those that fail are told as short as they can be. The exit code is 1 then. */
import { inMemory, playMany, seedsFrom } from './campaign.ts';
import { shrink, told } from './play.ts';

const [first = 1, count = 1] = process.argv.slice(2).map(Number);
const { sequences, writes, failed } = await playMany(seedsFrom(first, count), inMemory, { mostFailed: 1 });
for (const verdict of failed) process.stdout.write(`${told(await shrink(verdict, inMemory))}\n`);
process.stdout.write(`${sequences} sequences, ${writes} writes, ${failed.length} failed\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
