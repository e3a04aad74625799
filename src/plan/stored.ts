export const formatVersion = 1;

/**
 * What any of our durable objects begins with: JSON of the format version that this program knows.
 * @throws Error with the reason in words, without any secret.
 */
export function readStored(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error('the stored state is not JSON', { cause: error });
  }
  if (!isObject(value)) throw new Error('the stored state is not an object');
  const version = value['formatVersion'];
  if (version !== formatVersion)
    throw new Error(`the stored state has format version ${String(version)}, this program reads ${formatVersion}`);
  return value;
}

/** Neither null nor a list. Never throws. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
