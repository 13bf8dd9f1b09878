package io.sluice.server.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NearestKeyTest {
    @ParameterizedTest
    @CsvSource({"'','',0", "a,a,0", "ab,ba,1", "port,prot,1", "kitten,sitting,3", "'',abc,3"})
    void distanceCountsChanges(String a, String b, int expected) {
        assertThat(NearestKey.distance(a, b)).isEqualTo(expected);
        assertThat(NearestKey.distance(b, a)).isEqualTo(expected);
    }
}
