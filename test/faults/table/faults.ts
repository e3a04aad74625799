/** All rows of the table, in its order; each theme has a file. */
import type { Fault } from './fault.ts';
import { kubernetesFaults } from './kubernetes.ts';
import { secretFaults } from './secrets.ts';

export const faults: readonly Fault[] = [...kubernetesFaults, ...secretFaults];
