import { expect, test } from 'vitest';
import { type NamedKill, type Result, shortcomings } from './verdicts.ts';

const kill: NamedKill = {
  what: 'update dns',
  turn: 2,
  moment: 'before',
  scenario: 'new-domain',
  name: 'new-domain:32:before',
  steady: 'new-domain:update dns#2:before',
};
const survived: Result = { kill, struck: true, failure: undefined };
const missed: Result = { kill, struck: false, failure: undefined };
const failed: Result = { kill, struck: true, failure: { ...kill, problems: ['it is not Ready'] } };
const named = `  ${kill.name} (${kill.steady})`;

test.each<readonly [string, readonly Result[], readonly string[]]>([
  ['every kill was survived', [survived, survived], []],
  ['no kill was tried', [], ['nothing was killed']],
  ['no spot was met', [missed], ['nothing was killed', '1 spots were not met:', named]],
  ['a spot was not met', [survived, missed], ['1 spots were not met:', named]],
  ['a kill was not survived', [survived, failed], ['1 of 2 kills were not survived:', `${named}: it is not Ready`]],
])('a campaign in which %s', (_, results, lines) => {
  expect(shortcomings(results)).toEqual(lines);
});
