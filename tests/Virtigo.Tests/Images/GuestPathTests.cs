using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class GuestPathTests
{
    // A small system.
    private static readonly HashSet<string> s_paths = new(StringComparer.Ordinal) { "/", "/etc", "/etc/fstab", "/usr", "/usr/lib", "/usr/lib/libc" };

    private static readonly Dictionary<string, string> s_links = new(StringComparer.Ordinal)
    {
        ["/lib"] = "usr/lib", ["/etc/up"] = "..", ["/usr/lib/table"] = "/etc/fstab", ["/etc/out"] = "../../../../etc/./fstab", ["/self"] = "self",
        ["/there"] = "back", ["/back"] = "there", ["/nowhere"] = "/no/where", ["/top"] = "/",
    };

    [Theory]
    [InlineData("", "/")]
    [InlineData("/", "/")]
    [InlineData("//etc/./fstab/", "/etc/fstab")]
    [InlineData("etc/../usr/lib", "/usr/lib")]
    [InlineData("../../etc/fstab", "/etc/fstab")]
    [InlineData("/lib/libc", "/usr/lib/libc")]
    [InlineData("/lib/../lib", "/usr/lib")]
    [InlineData("/lib/table", "/etc/fstab")]
    [InlineData("/etc/out", "/etc/fstab")]
    [InlineData("/etc/up/etc/up/lib/libc", "/usr/lib/libc")]
    [InlineData("/top/top/etc", "/etc")]
    [InlineData("/self", null)]
    [InlineData("/there/etc", null)]
    [InlineData("/nowhere", null)]
    [InlineData("/etc/fstab/more", null)]
    [InlineData("/ETC", null)]
    public void A_path_is_followed_as_in_the_guest(string path, string? end) => Assert.Equal(end, Follow(path));

    [Fact]
    public void No_more_links_are_followed_than_Linux_does()
    {
        Assert.Equal("/etc", Follow(string.Concat(Enumerable.Repeat("/top", 40)) + "/etc"));
        Assert.Null(Follow(string.Concat(Enumerable.Repeat("/top", 41)) + "/etc"));
    }

    private static string? Follow(string path) => GuestPath.Follow("/", path, (directory, name) =>
    {
        string below = directory == "/" ? "/" + name : $"{directory}/{name}";
        return s_paths.Contains(below) || s_links.ContainsKey(below) ? below : null;
    }, at => s_links.GetValueOrDefault(at));
}
