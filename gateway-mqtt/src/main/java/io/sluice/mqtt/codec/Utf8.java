package io.sluice.mqtt.codec;

import io.netty.buffer.ByteBuf;

/** MQTT UTF-8 strings (MQTT 5.0 section 1.5.4): well formed, no surrogates, no U+0000. */
public final class Utf8 {
    private Utf8() {}

    /** True if the bytes are a legal MQTT string. */
    public static boolean isValid(ByteBuf in, int start, int length) {
        int at = start;
        int end = start + length;
        while (at < end) {
            int b = in.getByte(at++);
            if (b > 0) {
                continue;
            }
            if (b == 0) {
                return false;
            }
            int more;
            int least;
            int code;
            if ((b & 0xE0) == 0xC0) {
                more = 1;
                least = 0x80;
                code = b & 0x1F;
            } else if ((b & 0xF0) == 0xE0) {
                more = 2;
                least = 0x800;
                code = b & 0x0F;
            } else if ((b & 0xF8) == 0xF0) {
                more = 3;
                least = 0x10000;
                code = b & 0x07;
            } else {
                return false;
            }
            if (at + more > end) {
                return false;
            }
            for (int i = 0; i < more; i++) {
                int next = in.getByte(at++);
                if ((next & 0xC0) != 0x80) {
                    return false;
                }
                code = (code << 6) | (next & 0x3F);
            }
            if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
                return false;
            }
        }
        return true;
    }

    /** True if a string that the codec decoded was legal: no U+0000 and nothing replaced because it was malformed. */
    public static boolean isValid(String decoded) {
        return decoded.indexOf('\0') < 0 && decoded.indexOf('\uFFFD') < 0;
    }
}
