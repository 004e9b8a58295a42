#include "data_sources.hpp"

#include <hdf5.h>
#include <lmdb.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace idn::layers {

namespace fs = std::filesystem;
using std::string;

namespace {

// The text in one line and in UTF-8, whatever a file holds whose names or lines it quotes.
string printable(const string& text) {
  string clean;
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char first = text[i];
    const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    bool whole = first >= 0x20 && first != 0x7f && (first < 0x80 || (first >= 0xc2 && first < 0xf5));
    for (std::size_t k = 1; k < length && whole; ++k) {
      whole = i + k < text.size() && (text[i + k] & 0xc0) == 0x80;
    }
    clean += whole ? text.substr(i, length) : "?";
    i += whole ? length : 1;
  }
  return clean;
}

[[noreturn]] void refuse(const caffe::LayerParameter& param, const string& source, const string& why) {
  throw std::runtime_error(
      printable("layer " + param.name() + " (" + param.type() + "): source \"" + source + "\" " + why));
}

bool exists(const string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

const std::size_t kLongestName = 4096;  // Linux's longest path

string working_directory() {
  std::error_code ignored;
  return " (working directory: " + fs::current_path(ignored).string() + ")";
}

// The first value of an LMDB. Without its lock file: closing that would free the locks of everyone else in this process
// who has the database open.
class FirstValue {
 public:
  explicit FirstValue(const string& source) {
    state_ = mdb_env_create(&environment_);
    if (!state_) {
      state_ = mdb_env_open(environment_, source.c_str(), MDB_RDONLY | MDB_NOTLS | MDB_NOLOCK, 0664);
    }
    if (!state_) {
      state_ = read();
    }
  }

  ~FirstValue() {
    mdb_txn_abort(transaction_);
    mdb_env_close(environment_);
  }

  FirstValue(const FirstValue&) = delete;
  FirstValue& operator=(const FirstValue&) = delete;

  // 0, MDB_NOTFOUND for an empty database, or another code of LMDB's
  int state() const { return state_; }
  const void* data() const { return value_.mv_data; }
  int size() const { return static_cast<int>(value_.mv_size); }

 private:
  int read() {
    MDB_dbi table;
    MDB_cursor* cursor;
    int code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction_);
    if (!code) {
      code = mdb_dbi_open(transaction_, nullptr, 0, &table);
    }
    if (!code) {
      code = mdb_cursor_open(transaction_, table, &cursor);
    }
    if (!code) {
      MDB_val key;
      code = mdb_cursor_get(cursor, &key, &value_, MDB_FIRST);
      mdb_cursor_close(cursor);
    }
    return code;
  }

  MDB_env* environment_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  MDB_val value_ = {};
  int state_;
};

}  // namespace

void check_hdf5_source(const caffe::LayerParameter& param) {
  const string& source = param.hdf5_data_param().source();
  if (source.empty()) {
    return;
  }
  if (!exists(source)) {
    refuse(param, source,
           "does not exist" + working_directory() + "; expected a text file that lists HDF5 files, one on each line");
  }
  std::error_code ignored;
  if (!fs::is_regular_file(source, ignored)) {
    return;  // a pipe can be read only once
  }
  if (H5Fis_hdf5(source.c_str()) > 0) {
    const string list = fs::path(source).replace_extension(".txt").string();
    refuse(param, source,
           "is itself an HDF5 file; Caffe expects a text file that lists HDF5 files: run `echo " + source + " > " +
               list + "` and set source: \"" + list + "\"");
  }
  std::ifstream list(source);
  string name;
  while (list >> name) {  // as upstream reads it: a blank ends a name
    if (!exists(name)) {
      if (name.size() > kLongestName) {
        name.resize(kLongestName);
      }
      refuse(param, source, "lists \"" + name + "\", which does not exist" + working_directory());
    }
  }
}

void check_database(const caffe::LayerParameter& param) {
  const string& source = param.data_param().source();
  if (source.empty()) {
    return;
  }
  if (param.data_param().backend() == caffe::DataParameter_DB_LEVELDB) {
    refuse(param, source,
           exists(source + "/data.mdb") ? "is an LMDB; set `backend: LMDB` in data_param (LEVELDB is Caffe's default)"
                                        : "has the backend LEVELDB (Caffe's default), which this build leaves out; "
                                          "make it an LMDB and set `backend: LMDB` in data_param");
  }
  if (!exists(source + "/data.mdb")) {
    refuse(param, source,
           exists(source + "/CURRENT") ? string("is a LevelDB, which this build leaves out; make it an LMDB")
                                       : "is no LMDB: expected a folder with a file data.mdb" + working_directory());
  }
  const FirstValue first(source);
  if (first.state() == MDB_NOTFOUND) {
    refuse(param, source, "is an empty LMDB: expected one Datum for each image");
  }
  if (first.state()) {
    refuse(param, source, string("cannot be read as an LMDB: ") + mdb_strerror(first.state()));
  }
  caffe::Datum datum;
  if (!datum.ParseFromArray(first.data(), first.size())) {
    refuse(param, source, "holds values that are no Datum: expected caffe.proto.caffe_pb2.Datum messages");
  }
  if (datum.encoded()) {
    refuse(param, source,
           "holds encoded pictures (JPEG or PNG), which need OpenCV, and this build leaves that out; write "
           "their pixels instead: caffe.io.array_to_datum makes such a Datum");
  }
}

}  // namespace idn::layers
