/**
 * Preloaded, it lets a test set the clock of a process: at SIGUSR2 to as many milliseconds off as the file says that is
 * named for the process, in the folder `CLOCK_FOLDER`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const { CLOCK_FOLDER = '' } = process.env;
const trueNow = Date.now;
let shift_ms = 0;

Date.now = () => trueNow() + shift_ms;

process.on('SIGUSR2', () => {
  shift_ms = Number(readFileSync(join(CLOCK_FOLDER, String(process.pid)), 'utf8'));
  process.stdout.write(`the clock was set ${shift_ms} ms off\n`);
});
