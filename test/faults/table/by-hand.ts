import { byOthers, type Stage } from './fault.ts';

/** Lines of nsupdate by the zone's administrator; `D` stands for the domain. */
export const byHand =
  (...lines: readonly string[]) =>
  async (stage: Stage): Promise<void> => {
    const { ground, domain } = stage;
    const zone = domain.slice(domain.indexOf('.') + 1);
    const named = lines.map((line) => `update ${line.replaceAll(/\bD\b/gu, domain)}`);
    await byOthers(stage, () => ground.dns.bind.dynamicUpdate([`zone ${zone}`, ...named].join('\n')));
  };
