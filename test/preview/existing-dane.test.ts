import { expect, test } from 'vitest';
import { adopt, byHand, byHandScene, foreign, mx1, setTlsa } from '../reconcile/existing-dane-scene.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { planned, said } from './scene.ts';

const name = `_25._tcp.${mx1}`;

test('a TLSA set that is given to Mailseal is shown as it is, and united with the keys to come', async () => {
  const scene = await byHandScene();
  await scene.annotate({ [adopt]: `${name} TLSA` });
  const { text } = said(await planned(scene));
  const united = [...foreign, '3 1 1 (of the first key, made then)', '3 1 1 (of the second key, made then)'].sort();
  expect(text).toContain(`~ - ${name} 7200 TLSA ${foreign.join(' | ')}`);
  expect(text).toContain(`~ + ${name} 3600 TLSA ${united.join(' | ')}`);
  expect(text).toContain('what stands there stays until every host presents our key');
});

test('a key that is given is shown by its record: it is delivered first, and the set is united after', async () => {
  const scene = await byHandScene();
  setTlsa(scene, [`3 1 1 ${spkiSha256OfKey(byHand.key)}`, `3 1 1 ${'ab'.repeat(32)}`]);
  const data = { 'tls.key': Buffer.from(byHand.key).toString('base64') };
  const metadata = { name: 'old-mx', namespace: 'mail' };
  await scene.kube.create({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', data });
  await scene.annotate({ [adopt]: `Secret old-mx, ${name} TLSA` });
  const objects = await planned(scene);
  const { text } = said(objects);
  expect(text).not.toContain('TLSAMismatch');
  expect(objects.flatMap(({ waits }) => waits.map(({ what }) => what)).join('\n')).toContain(
    `TLSA sets that are given to Mailseal become 3 1 1`,
  );
  expect(text).toContain(spkiSha256OfKey(byHand.key));
});
