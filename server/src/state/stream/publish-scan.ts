/**
 * Reads encoded Publish and PublishBatch requests without building a message of them: publishing is hot, and what is
 * stored is cut out of the request as it stands.
 *
 * Accepts what a protobuf decoder accepts: fields in any order, unknown fields, the last of a field that is repeated.
 * Strings must be UTF-8, since every subscriber will have to decode them.
 */
import { isUtf8 } from 'node:buffer';
import { MAX_BATCH_MESSAGES } from './limits.ts';

/** Why a request cannot be read. */
export class MalformedRequestError extends Error {
  override readonly name = 'MalformedRequestError';
}

/** A batch of more messages than the contract allows. */
export class TooManyMessagesError extends Error {
  override readonly name = 'TooManyMessagesError';
}

/** Where the parts of one publication are: `[from, to)` in the request, both 0 when absent. */
interface Place {
  keyFrom: number;
  keyTo: number;
  payloadFrom: number;
  payloadTo: number;
  /** Range in `PublishScan.headers`. */
  headersFrom: number;
  headersTo: number;
}

const NONE = -1;
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Field numbers of a publication: alone in a Publish, or as an item of a PublishBatch. */
interface PublicationFields {
  readonly payload: number;
  readonly key: number;
  readonly headers: number;
}
const alone: PublicationFields = { payload: 2, key: 3, headers: 4 };
const item: PublicationFields = { payload: 1, key: 2, headers: 3 };

/** The result of a scan; reused: valid until the next one. */
export class PublishScan {
  /** The request. */
  source: Uint8Array = new Uint8Array();
  topicFrom = 0;
  topicTo = 0;
  /** The partition that was asked for; -1 = none. */
  partition = NONE;
  /** The expected offset; -1 = none. */
  expectedOffset = NONE;
  /** Number of publications. */
  count = 0;
  /** Headers of all publications: from and to of each encoded map entry, without tag and length. */
  readonly headers: number[] = [];
  readonly #places: Place[] = [newPlace()];
  #at = 0;
  #topic = '';
  #topicBytes = new Uint8Array();

  /** Scans an encoded StreamServicePublishRequest. @throws MalformedRequestError */
  publish(source: Uint8Array): void {
    this.#begin(source);
    const place = this.#add();
    while (this.#at < source.length) {
      const tag = this.#varint();
      const field = tag >>> 3;
      const type = tag & 7;
      if (field === 1) this.#topicField(type);
      else if (field === 5) this.partition = this.#number(type);
      else if (field === 6) this.expectedOffset = this.#number(type);
      else if (!this.#publicationField(place, alone, field, type)) this.#skip(type);
    }
    place.headersTo = this.headers.length;
  }

  /** Scans an encoded StreamServicePublishBatchRequest. @throws MalformedRequestError @throws TooManyMessagesError */
  publishBatch(source: Uint8Array): void {
    this.#begin(source);
    while (this.#at < source.length) {
      const tag = this.#varint();
      const field = tag >>> 3;
      const type = tag & 7;
      if (field === 1) this.#topicField(type);
      else if (field === 3) this.partition = this.#number(type);
      else if (field === 2) this.#item(this.#length(type));
      else this.#skip(type);
    }
  }

  /** The topic. Most requests are for the topic of the one before: its text is then not made anew. */
  get topic(): string {
    const length = this.topicTo - this.topicFrom;
    const known = this.#topicBytes;
    let same = known.length === length;
    for (let i = 0; same && i < length; i++) same = known[i] === this.source[this.topicFrom + i];
    if (!same) {
      // Not slice(): of a Buffer it is a view, which changes with the memory of the request.
      this.#topicBytes = new Uint8Array(this.source.subarray(this.topicFrom, this.topicTo));
      this.#topic = Buffer.from(this.#topicBytes.buffer, 0, length).toString('utf8');
    }
    return this.#topic;
  }

  /** Where the publication `index` is. */
  place(index: number): Readonly<Place> {
    return this.#places[index]!;
  }

  /** Bytes of payload, key and headers of the publication `index`, as the limit on messages counts them. */
  bytesOf(index: number): number {
    const place = this.#places[index]!;
    let bytes = place.payloadTo - place.payloadFrom + place.keyTo - place.keyFrom;
    for (let at = place.headersFrom; at < place.headersTo; at += 2) {
      bytes += this.headers[at + 1]! - this.headers[at]!;
    }
    return bytes;
  }

  #begin(source: Uint8Array): void {
    this.source = source;
    this.#at = 0;
    this.topicFrom = 0;
    this.topicTo = 0;
    this.partition = NONE;
    this.expectedOffset = NONE;
    this.count = 0;
    this.headers.length = 0;
  }

  #add(): Place {
    if (this.count === MAX_BATCH_MESSAGES) {
      throw new TooManyMessagesError(`a batch has at most ${MAX_BATCH_MESSAGES} messages`);
    }
    let place = this.#places[this.count];
    if (place === undefined) {
      place = newPlace();
      this.#places.push(place);
    }
    this.count++;
    place.keyFrom = 0;
    place.keyTo = 0;
    place.payloadFrom = 0;
    place.payloadTo = 0;
    place.headersFrom = this.headers.length;
    place.headersTo = place.headersFrom;
    return place;
  }

  #topicField(type: number): void {
    const length = this.#length(type);
    this.topicFrom = this.#at;
    this.#at += length;
    this.topicTo = this.#at;
    this.#checkUtf8(this.topicFrom, this.topicTo);
  }

  #item(length: number): void {
    const place = this.#add();
    const end = this.#at + length;
    while (this.#at < end) {
      const tag = this.#varint();
      const field = tag >>> 3;
      if (!this.#publicationField(place, item, field, tag & 7)) this.#skip(tag & 7);
    }
    if (this.#at !== end) throw new MalformedRequestError('a message is longer than it says');
    place.headersTo = this.headers.length;
  }

  /** Takes a field of a publication; false when it is none. */
  #publicationField(place: Place, fields: PublicationFields, field: number, type: number): boolean {
    if (field === fields.payload) {
      const length = this.#length(type);
      place.payloadFrom = this.#at;
      this.#at += length;
      place.payloadTo = this.#at;
      return true;
    }
    if (field === fields.key) {
      const length = this.#length(type);
      place.keyFrom = this.#at;
      this.#at += length;
      place.keyTo = this.#at;
      this.#checkUtf8(place.keyFrom, place.keyTo);
      return true;
    }
    if (field === fields.headers) {
      this.#header(this.#length(type));
      return true;
    }
    return false;
  }

  /** A map entry: the key as field 1, the value as field 2. */
  #header(length: number): void {
    const from = this.#at;
    const end = from + length;
    while (this.#at < end) {
      const tag = this.#varint();
      const field = tag >>> 3;
      if (field === 1 || field === 2) {
        const bytes = this.#length(tag & 7);
        this.#checkUtf8(this.#at, this.#at + bytes);
        this.#at += bytes;
      } else {
        this.#skip(tag & 7);
      }
    }
    if (this.#at !== end) throw new MalformedRequestError('a header is longer than it says');
    this.headers.push(from, end);
  }

  /** The length of a length-delimited field, checked against what is there. */
  #length(type: number): number {
    if (type !== BYTES) throw new MalformedRequestError(`wire type ${type} instead of ${BYTES}`);
    const length = this.#varint();
    if (length > this.source.length - this.#at) {
      throw new MalformedRequestError('a field reaches behind the end of the request');
    }
    return length;
  }

  #number(type: number): number {
    if (type !== VARINT) throw new MalformedRequestError(`wire type ${type} instead of ${VARINT}`);
    return this.#varint();
  }

  #varint(): number {
    const source = this.source;
    let byte = source[this.#at++];
    if (byte === undefined) throw new MalformedRequestError('the request ends inside of a field');
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    for (let read = 1; read < 10; read++) {
      byte = source[this.#at++];
      if (byte === undefined) throw new MalformedRequestError('the request ends inside of a field');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new MalformedRequestError('a varint has more than 10 bytes');
  }

  #skip(type: number): void {
    if (type === BYTES) {
      const length = this.#length(type);
      this.#at += length;
    } else if (type === VARINT) this.#varint();
    else if (type === FIXED64) this.#at += 8;
    else if (type === FIXED32) this.#at += 4;
    else throw new MalformedRequestError(`wire type ${type} is unknown`);
    if (this.#at > this.source.length) throw new MalformedRequestError('the request ends inside of a field');
  }

  #checkUtf8(from: number, to: number): void {
    for (let at = from; at < to; at++) {
      if (this.source[at]! > 0x7f) {
        if (isUtf8(this.source.subarray(at, to))) return;
        throw new MalformedRequestError('a text is not UTF-8');
      }
    }
  }
}

function newPlace(): Place {
  return { keyFrom: 0, keyTo: 0, payloadFrom: 0, payloadTo: 0, headersFrom: 0, headersTo: 0 };
}
