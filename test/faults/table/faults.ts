/** All rows of the table, in its order; each theme has a file. */
import { acmeFaults } from './acme.ts';
import { dnsFaults } from './dns.ts';
import type { Fault } from './fault.ts';
import { clockFaults } from './clocks.ts';
import { crowdFaults } from './crowd.ts';
import { kubernetesFaults } from './kubernetes.ts';
import { leadershipFaults } from './leadership.ts';
import { mailFaults } from './mail.ts';
import { midwayFaults } from './midway.ts';
import { policyFaults } from './policy.ts';
import { recordFaults } from './records.ts';
import { restoreFaults } from './restores.ts';
import { secretFaults } from './secrets.ts';
import { watchFaults } from './watches.ts';
import { zoneFaults } from './zones.ts';

export const faults: readonly Fault[] = [
  ...watchFaults,
  ...kubernetesFaults,
  ...leadershipFaults,
  ...secretFaults,
  ...acmeFaults,
  ...dnsFaults,
  ...recordFaults,
  ...zoneFaults,
  ...mailFaults,
  ...policyFaults,
  ...midwayFaults,
  ...restoreFaults,
  ...clockFaults,
  ...crowdFaults,
];
