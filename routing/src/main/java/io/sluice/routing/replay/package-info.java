/** Reading internal streams back: state that is derived from the log. */
@NullMarked
package io.sluice.routing.replay;

import org.jspecify.annotations.NullMarked;
