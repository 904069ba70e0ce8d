import { expect, test } from 'vitest';
import { ErrorReason } from './errors.ts';
import { checkName, MAX_NAME_LENGTH } from './names.ts';

test.each(['a', 'jobs', 'Jobs.2_x-y:z/@{tag}', 'x'.repeat(MAX_NAME_LENGTH)])('%s is a name', (name) => {
  expect(() => checkName(name, 'queue')).not.toThrow();
});

test.each(['', ' ', 'a b', 'a#1', 'ä', 'a\n', '*', 'x'.repeat(MAX_NAME_LENGTH + 1)])(
  '%j is refused',
  (name) => {
    expect(() => checkName(name, 'queue')).toThrow(
      expect.objectContaining({ reason: ErrorReason.INVALID_NAME, subject: 'queue' }),
    );
  },
);

test('the message names the first character that is not allowed', () => {
  expect(() => checkName('jobs#1', 'queue')).toThrow('"#"');
});
