/* Methods, references, classes with bases, and classes that C++ passes by their address. */
#include <cstdio>

namespace shop {

class Base {
public:
    int serial = 11;
};

struct Price {
    long cents;
    bool reduced;
};

class Item : public Base {
public:
    static int made;
    Price price{250, true};
    const char *name = "apple";

    __attribute__((noinline)) long total(int count, const Price &extra) {
        asm volatile("" ::: "memory");
        return price.cents * count + extra.cents;
    }
};

int Item::made = 1;

/* Copying it takes a call, so its address is passed. */
struct Owner {
    int id = 5;
    Owner() = default;
    Owner(const Owner &other) : id(other.id + 1) {}
};

enum class Size : unsigned char { Small = 1, Large = 2 };

__attribute__((noinline)) int pack(Owner owner, Price price, Size size, Item &&item) {
    asm volatile("" ::: "memory");
    return owner.id + (int)price.cents + (int)size + item.serial;
}

} // namespace shop

int main() {
    shop::Item item;
    shop::Owner owner;
    long sum = item.total(3, shop::Price{7, false});
    sum += shop::pack(owner, item.price, shop::Size::Large, shop::Item());
    std::printf("%ld\n", sum);
}
