import { expect, test } from 'vitest';
import { AddressRewriter } from './address-rewriter.ts';

const DATA = 0;
const HEADERS = 1;

function frame(type: number, payload: string): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  return Buffer.concat([header, Buffer.from(payload)]);
}

const addresses = new Map([
  ['127.0.0.1:40001', '127.0.0.1:50001'],
  ['127.0.0.1:40002', '127.0.0.1:40001'],
]);

test('addresses in data are replaced, each once, and nothing else', () => {
  const rewriter = new AddressRewriter(new Map([['127.0.0.1:40001', '127.0.0.1:50001']]));
  const other = frame(HEADERS, '127.0.0.1:40001');
  const data = frame(DATA, 'a 127.0.0.1:40001 and 127.0.0.1:40001, 127.0.0.1:40003');
  expect(rewriter.push(Buffer.concat([other, data]))).toEqual(
    Buffer.concat([other, frame(DATA, 'a 127.0.0.1:50001 and 127.0.0.1:50001, 127.0.0.1:40003')]),
  );
});

test('however the bytes are cut, the same frames come out', () => {
  const bytes = Buffer.concat([frame(DATA, 'to 127.0.0.1:40001'), frame(HEADERS, ''), frame(DATA, 'rest')]);
  const wanted = Buffer.concat([frame(DATA, 'to 127.0.0.1:50001'), frame(HEADERS, ''), frame(DATA, 'rest')]);
  for (let size = 1; size <= bytes.length; size += 1) {
    const rewriter = new AddressRewriter(new Map([['127.0.0.1:40001', '127.0.0.1:50001']]));
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size)
      out.push(Buffer.from(rewriter.push(Buffer.from(bytes.subarray(at, at + size)))));
    expect(Buffer.concat(out)).toEqual(wanted);
  }
});

test('a replacement that is itself an address of another is left as it is', () => {
  const rewriter = new AddressRewriter(addresses);
  expect(rewriter.push(frame(DATA, '127.0.0.1:40002 127.0.0.1:40001'))).toEqual(
    frame(DATA, '127.0.0.1:40001 127.0.0.1:50001'),
  );
});

test('addresses of other lengths are refused, for the frames would lie about theirs', () => {
  expect(() => new AddressRewriter(new Map([['127.0.0.1:40001', '127.0.0.1:999']]))).toThrow(RangeError);
});
