/** Frames, methods, field tables and content headers of AMQP 0-9-1 on {@code ByteBuf}; no state beyond one frame. */
@NullMarked
package io.sluice.amqp091.codec;

import org.jspecify.annotations.NullMarked;
