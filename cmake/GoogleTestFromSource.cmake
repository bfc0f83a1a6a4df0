# GoogleTest compiled with the compiler and the C++ library of this build, from the sources that
# Debian's package googletest brings.
find_path(GoogleTest_SOURCE_DIR googletest/CMakeLists.txt
          PATHS ${CMAKE_PREFIX_PATH}/src/googletest /usr/src/googletest
          NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
if(NOT GoogleTest_SOURCE_DIR)
  message(FATAL_ERROR "the sources of GoogleTest are missing: run scripts/fetch_cpp_test_libraries.sh, "
                      "or install Debian's package googletest")
endif()
set(BUILD_GMOCK OFF)
set(INSTALL_GTEST OFF)
add_subdirectory(${GoogleTest_SOURCE_DIR} third_party/googletest EXCLUDE_FROM_ALL)
