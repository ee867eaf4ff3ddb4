using System.Text;
using CsCheck;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class KernelModuleTests
{
    [Theory]
    [InlineData("kernel/fs/ext4/ext4.ko.xz", "ext4")]
    [InlineData("kernel/drivers/md/dm-mod.ko", "dm_mod")]
    [InlineData("a/b-c.ko.zst", "b_c")]
    [InlineData("modules.dep", null)]
    [InlineData("kernel/fs/ext4.kold", null)]
    public void A_module_has_the_name_that_the_kernel_gives_it(string path, string? expected) =>
        Assert.Equal(expected, KernelModule.NameOf(path));

    [Theory]
    [InlineData("license=GPL\0depends=jbd2,crc-itu-t\0name=x\0", "jbd2 crc_itu_t")]
    [InlineData("license=GPL\0depends=\0name=x\0", "")]
    public void What_a_module_depends_on_is_read_from_it(string information, string expected)
    {
        byte[] module = [0x7F, .. "ELF........"u8, 0, .. Encoding.ASCII.GetBytes(information), 1, 2, 3];

        Assert.Equal(expected, string.Join(' ', KernelModule.Depends(module)));
    }

    [Fact]
    public void Bytes_that_are_no_module_are_refused_and_nothing_else_happens()
    {
        Gen.Byte.Array[0, 300].Sample(bytes => Assert.Throws<InvalidDataException>(() => KernelModule.Depends(bytes)), iter: 500);
        Assert.Throws<InvalidDataException>(() => KernelModule.Depends("\0depends=never,closed"u8));
    }

    [Fact]
    public void A_set_is_found_only_for_the_kernel_at_hand()
    {
        Assert.NotNull(KernelModuleSets.Find("ext4-modules-6.12.1+deb13-amd64-di", "6.12.1+deb13-amd64"));
        Assert.Null(KernelModuleSets.Find("ext4-modules-6.12.2+deb13-amd64-di", "6.12.1+deb13-amd64"));
        Assert.Null(KernelModuleSets.Find("sound-modules-6.12.1+deb13-amd64-di", "6.12.1+deb13-amd64"));
    }

    [Theory]
    [InlineData("e2fsprogs-udeb", "usr/sbin/mkfs.ext4", true)]
    [InlineData("e2fsprogs-udeb", "usr/lib/x86_64-linux-gnu/libext2fs.so.2", true)]
    [InlineData("e2fsprogs-udeb", "usr/share/doc/e2fsprogs/copyright", false)]
    [InlineData("libblkid1-udeb", "usr/lib/aarch64-linux-gnu/libblkid.so.1.1.0", true)]
    [InlineData("libblkid1-udeb", "usr/share/doc/libblkid1/copyright", false)]
    public void A_recipe_takes_what_the_component_needs(string component, string path, bool taken) =>
        Assert.Equal(taken, RebuildRecipes.Find(component)!.Takes(path));
}
