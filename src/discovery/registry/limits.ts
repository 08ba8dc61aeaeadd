/** Bounds on what a registry may send; checked before the work that they bound (R193, D11). */

/** Bytes of a body after decompression. */
export const MAX_BODY_BYTES = 256 * 1024;
/** Arrays and objects within each other. */
export const MAX_DEPTH = 16;
export const MAX_NODES = 1_000;
export const MAX_URLS = 8;
export const MAX_ID_LENGTH = 128;
export const MAX_URL_LENGTH = 2_048;
export const MAX_ZONE_LENGTH = 64;
/** Characters of a revision, a topology or another short text. */
export const MAX_TEXT_LENGTH = 256;
