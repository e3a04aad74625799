/** All rows of the table, in its order; each theme has a file. */
import type { Fault } from './fault.ts';
import { kubernetesFaults } from './kubernetes.ts';
import { leadershipFaults } from './leadership.ts';
import { secretFaults } from './secrets.ts';

export const faults: readonly Fault[] = [...kubernetesFaults, ...leadershipFaults, ...secretFaults];
