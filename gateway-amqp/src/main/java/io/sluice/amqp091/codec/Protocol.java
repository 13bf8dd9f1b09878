package io.sluice.amqp091.codec;

/** Numbers of the wire format (AMQP 0-9-1, sections 2.3 and 4.2). */
public final class Protocol {
    public static final int FRAME_METHOD = 1;
    public static final int FRAME_HEADER = 2;
    public static final int FRAME_BODY = 3;
    public static final int FRAME_HEARTBEAT = 8;
    /** Last octet of each frame. */
    public static final int FRAME_END = 0xCE;
    /** Type, channel, size. */
    public static final int FRAME_HEADER_BYTES = 7;
    /** Bytes of a frame around its payload. */
    public static final int FRAME_OVERHEAD = 8;
    /** Smallest frame-max that a peer may ask for. */
    public static final int FRAME_MIN_SIZE = 4096;

    public static final int CLASS_CONNECTION = 10;
    public static final int CLASS_CHANNEL = 20;
    public static final int CLASS_ACCESS = 30;
    public static final int CLASS_EXCHANGE = 40;
    public static final int CLASS_QUEUE = 50;
    public static final int CLASS_BASIC = 60;
    public static final int CLASS_CONFIRM = 85;
    public static final int CLASS_TX = 90;

    /** Methods decoded without an object, as they come once per message. */
    public static final int BASIC_PUBLISH = id(CLASS_BASIC, 40);

    public static final int BASIC_DELIVER = id(CLASS_BASIC, 60);
    public static final int BASIC_GET_OK = id(CLASS_BASIC, 71);
    public static final int BASIC_RETURN = id(CLASS_BASIC, 50);
    public static final int BASIC_ACK = id(CLASS_BASIC, 80);
    public static final int BASIC_REJECT = id(CLASS_BASIC, 90);
    public static final int BASIC_NACK = id(CLASS_BASIC, 120);

    private static final byte[] HEADER = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};

    private Protocol() {}

    /** Class and method number in one. */
    public static int id(int classId, int methodId) {
        return classId << 16 | methodId;
    }

    /** The protocol header, section 4.2.2; a copy. */
    public static byte[] header() {
        return HEADER.clone();
    }
}
