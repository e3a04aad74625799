/** `npm run demo`: see test/lab/demo/options.ts. Set-up has been done by setup.sh. */
import { join } from 'node:path';
import { capabilities } from './capabilities.ts';
import { demoOptions, usage } from './demo/options.ts';
import { runExisting } from './demo/existing.ts';
import { execInLab, inLabNamespace } from './namespace.ts';

async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === '--help') {
    process.stdout.write(usage);
    return 0;
  }
  if (first === 'exec') {
    const [command, ...more] = rest;
    if (command === undefined) throw new Error('exec wants a command: exec kubectl get md -A');
    return execInLab([command, ...more]);
  }
  const options = demoOptions(args);
  if (options.existing !== undefined) return runExisting(options, options.existing);
  const can = capabilities();
  if (!can.node) {
    process.stderr.write(
      `The demo runs a Kubernetes node of its own, and this machine can't: ${can.why}.\n` +
        'Run it as root on Linux (a virtual machine or a privileged container will do), or use a cluster that you have:\n' +
        '  npm run demo -- --context NAME --image REF --manifest FILE\n',
    );
    return 1;
  }
  const code = await inLabNamespace(join(import.meta.dirname, 'demo/inside.ts'), args);
  if (code === 130) process.stderr.write('\ndemo: interrupted; nothing of it is left running\n');
  return code;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
