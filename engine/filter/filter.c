#include "filter/filter.h"

bool filter_open(struct filter *filter, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (size <= FILTER_LINE_BYTES || (size - 1) % FILTER_LINE_BYTES != 0 || (size - 1) / FILTER_LINE_BYTES > UINT32_MAX)
        return false;
    uint8_t probes = bytes[size - 1];
    if (probes == 0 || probes > FILTER_PROBES_MAX)
        return false;
    *filter = (struct filter){bytes, (uint32_t)((size - 1) / FILTER_LINE_BYTES), probes};
    return true;
}
