/** The errors of the ordered store. Each names what happened, what it touched and what the owner can do. */

import type { OutOfSpace } from './store.ts';

/** The base of every error this folder throws on purpose. */
export class StorageError extends Error {
  override name = 'StorageError';
}

/** A key or range bound the store cannot hold: empty, too long, or with a character above U+00FF. */
export class InvalidKeyError extends StorageError {
  override name = 'InvalidKeyError';
}

/** A value longer than `MAX_VALUE_BYTES`. */
export class ValueTooLargeError extends StorageError {
  override name = 'ValueTooLargeError';
}

/**
 * A write, commit or flush failed, so what the disk holds can no longer be told. The store stays dead: the owner ends
 * the process and recovers from the log at the next start.
 */
export class StoreFailedError extends StorageError {
  override name = 'StoreFailedError';
}

/** The store was closed before this call. */
export class StoreClosedError extends StorageError {
  override name = 'StoreClosedError';
}

/** Another process (or this one, earlier) holds the folder. Two servers on one folder would destroy each other's data. */
export class DataFolderLockedError extends StorageError {
  override name = 'DataFolderLockedError';
  readonly folder: string;
  /** Process id of the holder; undefined when it had not written it yet. */
  readonly holderPid: number | undefined;
  /** Host name of the holder: in a container the process id alone says little. */
  readonly holderHost: string | undefined;

  constructor(folder: string, holderPid: number | undefined, holderHost: string | undefined) {
    const holder = holderPid === undefined ? 'another process' : `process ${holderPid} on ${holderHost}`;
    super(`the data folder ${folder} is in use by ${holder}; stop it, or choose another data folder`);
    this.folder = folder;
    this.holderPid = holderPid;
    this.holderHost = holderHost;
  }
}

/** The database file cannot be read: not a database, cut short, or damaged inside. */
export class StoreDamagedError extends StorageError {
  override name = 'StoreDamagedError';
  readonly file: string;

  constructor(file: string, finding: string, options?: ErrorOptions) {
    super(
      `the database ${file} is damaged (${finding}); restore it from a backup or from another replica`,
      options,
    );
    this.file = file;
  }
}

/** The folder was written by a version of gomsg whose storage format this one does not know. */
export class StoreFormatError extends StorageError {
  override name = 'StoreFormatError';
  readonly folder: string;
  readonly found: number;
  readonly supported: number;

  constructor(folder: string, found: number, supported: number) {
    super(
      `the data in ${folder} has storage format ${found}, this version of gomsg reads up to ${supported}; run a newer version`,
    );
    this.folder = folder;
    this.found = found;
    this.supported = supported;
  }
}

/** A checkpoint was not started because there is too little room for it. Nothing is lost; try again once there is. */
export class OutOfSpaceError extends StorageError {
  override name = 'OutOfSpaceError';
  readonly space: OutOfSpace;

  constructor(space: OutOfSpace) {
    super(
      `too little ${space.where} for a checkpoint: ${space.freeBytes} bytes are free, ${space.neededBytes} may be needed`,
    );
    this.space = space;
  }
}

/** Too many snapshots are open, or were taken since the last checkpoint. Release some, or try after the next checkpoint. */
export class SnapshotLimitError extends StorageError {
  override name = 'SnapshotLimitError';
}

/** The snapshot was released, or outlived the age it may reach. Take a new one. */
export class SnapshotReleasedError extends StorageError {
  override name = 'SnapshotReleasedError';
}
