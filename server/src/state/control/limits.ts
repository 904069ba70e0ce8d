/** Bounds of the control state. */

/** Id of the control group: the one whose state has the control machine. */
export const CONTROL_GROUP = 0;

/** Data groups that a cluster can be founded with. */
export const MAX_DATA_GROUPS = 1024;

/** Replicas of a group: more cost every write an acknowledgement and save nothing that nine do not. */
export const MAX_REPLICATION = 9;

/** Longest id, address, label or version of a node, and longest name of a setting, in UTF-8 bytes. */
export const MAX_TEXT_BYTES = 255;

/** Longest nonce of a founding or joining. */
export const MAX_NONCE_BYTES = 64;

/** Settings of the whole cluster. */
export const MAX_SETTINGS = 1024;

/** Longest value of a setting, in UTF-8 bytes. */
export const MAX_SETTING_BYTES = 64 * 1024;
