const mostRemembered = 1000;

/** As the youngest; the oldest go. */
export function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) if (map.size > mostRemembered) map.delete(oldest);
}
