#include "base/stop_event.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace fluxgate {

StopEvent::StopEvent(const std::stop_token& stop)
    : descriptor_(stop.stop_possible() ? ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1), callback_(stop, Ring{descriptor_.number}) {}

StopEvent::Descriptor::~Descriptor() {
    if (number >= 0) ::close(number);
}

void StopEvent::Ring::operator()() const { ::eventfd_write(descriptor, 1); }

}  // namespace fluxgate
