/** The media types of JSON (RFC 6839, section 3.1). */
export const JSON_TYPE = /^application\/(.+\+)?json$/;
