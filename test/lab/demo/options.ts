import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** End when all is shown. */
  readonly once: boolean;
  readonly json: string | undefined;
  /** An existing cluster, with the user's own image and manifest; undefined for a lab of our own. */
  readonly existing:
    | {
        readonly context: string;
        readonly image: string;
        readonly manifest: string;
        /** A file of chart values. */
        readonly values: string | undefined;
      }
    | undefined;
}

export const usage = `npm run demo -- [--once] [--json FILE]
    a whole lab on this machine (Linux, root): a cluster, DNS, a CA, MX hosts, senders; then Mailseal in it
    --once        end when everything is shown; the exit code is 0 only if all of it holds
    --json FILE   write what was seen and how long it took
npm run demo -- --context NAME --image REF --manifest FILE [--values FILE] [--json FILE]
    installs Mailseal into an existing cluster, with your own image, DNS, ACME server and MX; needs no root.
    --values FILE gives the chart further values: your resolvers, private networks, a CA of your own
npm run -s demo -- exec COMMAND...
    runs a command inside the lab of a demo that is up: exec kubectl get md -A
`;

/** @throws Error with what is wrong with the arguments. */
export function demoOptions(args: readonly string[]): DemoOptions {
  const { values: given } = parseArgs({
    args: [...args],
    options: {
      once: { type: 'boolean', default: false },
      json: { type: 'string' },
      context: { type: 'string' },
      image: { type: 'string' },
      manifest: { type: 'string' },
      values: { type: 'string' },
    },
  });
  const { once, json, context, image, manifest, values } = given;
  if (context === undefined && image === undefined && manifest === undefined && values === undefined) {
    return { once, json, existing: undefined };
  }
  if (context === undefined || image === undefined || manifest === undefined) {
    throw new Error('--context, --image and --manifest go together');
  }
  return { once, json, existing: { context, image, manifest, values } };
}
