/** The server from its sources, for a tree that is not built. */
import { serve } from '../../../server/src/main.ts';

process.exitCode = await serve(process.argv.slice(2));
