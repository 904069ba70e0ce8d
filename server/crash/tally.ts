/** What a run counted. */
export class Tally {
  writesAcknowledged = 0;
  /** Calls sent again in their session after a restart. */
  callsRepeated = 0;
  /** Keys, messages and figures that were compared with what they must be. */
  checks = 0;
  /** Writes whose answer was lost and that were not repeated: they may or may not have happened. */
  writesInDoubt = 0;
}
