/** The management port: health, metrics and routes over HTTP. */
@NullMarked
package io.sluice.server.management;

import org.jspecify.annotations.NullMarked;
