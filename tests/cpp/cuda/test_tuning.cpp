// The table of what only a GPU can settle.
#include "cuda/tuning.hpp"

#include <gtest/gtest.h>

#include <set>

namespace eigentropy::cuda {
namespace {

TEST(Tuning, EveryEntryIsSaneAndSaysWhatItIs) {
  std::set<std::string_view> names;
  for (const Tuned& entry : tuning_table) {
    SCOPED_TRACE(entry.name);
    EXPECT_TRUE(names.insert(entry.name).second);
    EXPECT_LT(entry.least, entry.most);
    EXPECT_GE(entry.value, entry.least);
    EXPECT_LE(entry.value, entry.most);
    for (const auto text : {entry.name, entry.unit, entry.source, entry.meaning}) {
      EXPECT_FALSE(text.empty());
    }
    EXPECT_EQ(tuned(entry.name), entry.value);
  }
  EXPECT_THROW(tuned("no such entry"), std::invalid_argument);
}

}  // namespace
}  // namespace eigentropy::cuda
