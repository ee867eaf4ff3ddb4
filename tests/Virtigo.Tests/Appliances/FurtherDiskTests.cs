using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class FurtherDiskTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-disks-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task Further_disks_are_planned_with_their_shares_and_the_rest()
    {
        AppliancePlan plan = await PlanAsync("""
            disk:
              size: 4GiB
              disks:
                - name: data
                  size: 1GiB
                  partitions:
                    - {path: /srv, size: 50%, filesystem: xfs, options: [noatime]}
                    - {size: 64MiB, filesystem: swap}
                    - {size: rest}
                - {name: spare, size: 64MiB}
            """);
        Assert.Equal([new FurtherPartition(511, "xfs", "/srv", "noatime"), new FurtherPartition(64, "swap", "", ""), new FurtherPartition(447, "", "", "")],
            plan.Disk.Value.Further[0].Partitions);
        Assert.Equal("/ ext4, disk data 1 GiB: /srv xfs 511 MiB (noatime) + swap 64 MiB + unused 447 MiB, disk spare 64 MiB: empty",
            plan.Explain().Single(line => line.Key == "disk layout").Shown);
        Assert.Equal((4096L + 1024 + 64) << 20, plan.AllDiskBytes);
        Assert.Contains("xfsprogs", plan.Disk.Value.Packages);
        Assert.Contains("xfsprogs-udeb", plan.Disk.Value.Components);
        Assert.Contains(InstallHooks.Shared("", "mirror.example", plan.Disk.Value, InstallMachine.Virtio), file => file.Path == "usr/lib/partman/finish.d/91virtigo");
    }

    [Fact]
    public async Task Another_further_disk_is_another_image_and_another_way_of_its_installer()
    {
        AppliancePlan one = await PlanAsync("disk: {disks: [{name: data, size: 1GiB}]}\n");
        foreach (string other in (string[])["{name: data, size: 2GiB}", "{name: more, size: 1GiB}", "{name: data, size: 1GiB, partitions: [{size: rest}]}"])
        {
            AppliancePlan two = await PlanAsync($"disk: {{disks: [{other}]}}\n");
            Assert.NotEqual(one.Fingerprint, two.Fingerprint);
            Assert.NotEqual(InstallWay.Of(one), InstallWay.Of(two));
        }

        Assert.Null(InstallWay.NotShared(one));
        Assert.Equal(one.Fingerprint, (await PlanAsync("disk:\n  disks:\n    - {size: 1024MiB, name: data}\n")).Fingerprint);
    }

    [Fact]
    public async Task A_file_system_of_the_first_disk_takes_a_share_or_the_rest()
    {
        AppliancePlan plan = await PlanAsync("disk: {size: 10GiB, root: 4GiB, swap: 1GiB, mounts: [{path: /var, size: 10%}, {path: /home, size: rest}]}\n");
        Assert.Equal([("/home", 10240 - 1024 - 4096 - 1024 - 4), ("/var", 1024)], plan.Disk.Value.Mounts.Select(mount => (mount.Path, (int)mount.MiB)));
    }

    [Theory]
    [InlineData("disks: [{name: data, size: 1GiB}, {name: data, size: 1GiB}]", "web.yml:1:49: disk.disks: two disks are named data.")]
    [InlineData("disks: [{name: a, size: 128MiB, partitions: [{size: 100MiB}, {size: 64MiB}]}]", "the partitions of a need 164 MiB, but the disk has 126 MiB beside its table.")]
    [InlineData("disks: [{name: a, size: 1GiB, partitions: [{size: rest}, {size: rest}]}]", "web.yml:1:72: disk.disks: a: only one can take the rest.")]
    [InlineData("disks: [{name: a, size: 128MiB, partitions: [{size: 100MiB}, {size: rest}]}]", "the rest is 26 MiB, less than 64: of 126 MiB the others take 100.")]
    [InlineData("disks: [{name: a, size: 128MiB, partitions: [{size: 10%}]}]", "this share of the disk is less than 64 MiB.")]
    [InlineData("disks: [{name: a, size: 128MiB, partitions: [{size: rest, path: /srv, filesystem: xfs}]}]", "a partition of a has 126 MiB, but xfs needs 304.")]
    [InlineData("disks: [{name: a, size: 1GiB, partitions: [{size: rest, path: /srv, filesystem: swap}]}]", "swap space is mounted nowhere.")]
    [InlineData("disks: [{name: a, size: 1GiB, partitions: [{size: rest, options: nodev}]}]", "options are for what is mounted.")]
    [InlineData("disks: [{name: a, size: 1GiB, partitions: [{size: rest, path: /boot}]}]", "the machine boots from its first disk, and needs /boot there.")]
    [InlineData("size: 9GiB, mounts: [{path: /srv, size: 1GiB}], disks: [{name: a, size: 1GiB, partitions: [{size: rest, path: /srv}]}]", "/srv is mounted twice.")]
    [InlineData("size: 9GiB, mounts: [{path: /srv/a, size: 1GiB}], disks: [{name: a, size: 1GiB, partitions: [{size: rest, path: /srv}]}]", "mounted on /srv, it would hide /srv/a of the first disk.")]
    [InlineData("encrypt: correct horse battery, disks: [{name: a, size: 1GiB}]", "beside an encrypted disk, further ones would be readable by anybody.")]
    [InlineData("mounts: [{path: /home, size: rest}]", "web.yml:1:37: disk.mounts: with the rest of the disk elsewhere, the root needs a size.")]
    [InlineData("root: 4GiB", "the root takes what the others leave, unless one of disk.mounts has size: rest.")]
    [InlineData("root: 4GiB, mounts: [{path: /home, size: 1GiB}]", "the root takes what the others leave, unless one of disk.mounts has size: rest.")]
    [InlineData("root: 4GiB, grow: true, mounts: [{path: /home, size: rest}]", "cannot be both the root's, which grows, and this one's.")]
    [InlineData("root: 8GiB, mounts: [{path: /home, size: rest}]", "the rest is 0 MiB, less than 64: of 8192 MiB the others take 8196.")]
    public async Task What_does_not_fit_is_refused_with_its_place(string disk, string problem)
    {
        VirtigoException wrong = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync($"disk: {{{disk}}}\n"));
        Assert.Equal(FailureKind.Usage, wrong.Kind);
        Assert.Contains(problem, wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("disks: [{name: system, size: 1GiB}]", "web.yml:1:23: disk.disks[].name: 'system' is the name of the first disk")]
    [InlineData("disks: [{name: Data, size: 1GiB}]", "web.yml:1:23: disk.disks[].name: 'Data' is no name of a disk")]
    [InlineData("disks: [{name: abcdefghijklmnopqrstu, size: 1GiB}]", "is no name of a disk")]
    [InlineData("disks: [{name: a, size: rest}]", "'rest' is not a size")]
    [InlineData("disks: [{name: a, size: 1GiB, partitions: [{size: 0%}]}]", "'0%' is no share of a disk: expected a whole number from 1% to 100%")]
    [InlineData("disks: [{name: a, size: 1GiB, partitions: [{size: 101%}]}]", "is no share of a disk")]
    [InlineData("disks: [{name: a, size: 1GiB, partitions: [{size: 1KiB}]}]", "is out of range")]
    [InlineData("disks: [{name: a}]", "disk.disks: size is missing")]
    [InlineData("mounts: [{path: /home, size: some}]", "web.yml:1:37: disk.mounts[].size: 'some' is not a size")]
    public void What_is_no_disk_is_refused_with_its_place(string disk, string problem) =>
        Assert.Contains(problem, Assert.Throws<VirtigoException>(() => ApplianceSpec.Parse($"disk: {{{disk}}}\n", "web.yml")).Message, StringComparison.Ordinal);

    private Task<AppliancePlan> PlanAsync(string yaml) => new AppliancePlanner(new PlannerEnvironment
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
        FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
        FindHostSecurityMirror = () => new HostMirror(new Uri("http://host.example/debian-security"), "/etc/apt/sources.list:2"),
    }).PlanAsync(ApplianceSpec.Parse(yaml, "web.yml"), TestContext.Current.CancellationToken);
}
