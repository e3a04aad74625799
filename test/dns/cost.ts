/** Milliseconds of processor time that this takes: unlike the clock's, they do not grow when the machine is busy. */
export function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1000;
}
