/** A server process for tests: `serve` as a program, straight from its sources. */
import { serve } from '../main.ts';

process.exitCode = await serve(process.argv.slice(2));
