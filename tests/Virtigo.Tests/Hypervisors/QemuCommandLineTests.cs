using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class QemuCommandLineTests
{
    private static readonly GuestConfig Full = new()
    {
        Name = "web",
        WorkDirectory = "/run/v/a,b",
        MemoryMiB = 1024,
        Disks =
        [
            new GuestDisk("/data/disk,1.qcow2", DiskFormat.Qcow2) { Serial = "root", Unsafe = true },
            new GuestDisk("/data/seed.img", DiskFormat.Raw) { ReadOnly = true },
        ],
        Kernel = new KernelBoot("/k/linux", "/k/initrd", "console=ttyS0 --- quiet"),
        Nics = [new GuestNic("/run/v/net.sock") { Mtu = 9000 }],
        Serials = [new GuestSerial("console"), new GuestSerial("log") { LogFile = "/l/log" }],
        AgentChannel = true,
    };

    [Fact]
    public void A_disc_is_in_a_drive_and_leaves_the_disks_where_they_are()
    {
        string line = string.Join(' ', QemuCommandLine.Build(Full with { Disks = [.. Full.Disks, new GuestDisk("/data/noble.iso", DiskFormat.Raw) { ReadOnly = true, IsDisc = true }] }, Accelerator.Tcg));
        Assert.Contains("file=/data/noble.iso,format=raw,cache=writeback,readonly=on -device ide-cd,id=vdisk2,drive=disk2,bootindex=3", line, StringComparison.Ordinal);
        Assert.Contains("virtio-blk-pci,id=vdisk0,drive=disk0,addr=0x2", line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_guest_has_exactly_what_it_asked_for() => Assert.Equal(
        """
        -name guest=web,debug-threads=on
        -nodefaults
        -no-user-config
        -display none
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -S
        -no-reboot
        -machine pc,vmport=off,memory-backend=memory
        -object memory-backend-ram,id=memory,size=1024M
        -accel tcg,tb-size=512
        -cpu qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+aes,+pclmulqdq,+rdrand,+rdseed
        -smp 1
        -m 1024M
        -rtc base=utc
        -kernel /k/linux
        -initrd /k/initrd
        -append 'console=ttyS0 --- quiet'
        -drive if=none,id=disk0,node-name=node0,file=/data/disk,,1.qcow2,format=qcow2,cache=unsafe,discard=unmap,detect-zeroes=unmap
        -device virtio-blk-pci,id=vdisk0,drive=disk0,addr=0x2,bootindex=1,serial=root
        -drive if=none,id=disk1,node-name=node1,file=/data/seed.img,format=raw,cache=writeback,readonly=on
        -device virtio-blk-pci,id=vdisk1,drive=disk1,addr=0x11,bootindex=2
        -netdev stream,id=net0,server=off,addr.type=unix,addr.path=/run/v/net.sock
        -device virtio-net-pci,netdev=net0,mac=52:54:00:12:34:56,host_mtu=9000,addr=0x3,romfile=
        -chardev socket,id=serial-console,server=off,path=/run/v/a,,b/serial-console.sock
        -serial chardev:serial-console
        -chardev socket,id=serial-log,server=off,path=/run/v/a,,b/serial-log.sock
        -serial chardev:serial-log
        -device virtio-serial-pci
        -chardev socket,id=agent,server=off,path=/run/v/a,,b/agent.sock
        -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0
        -chardev socket,id=qmp,server=off,path=/run/v/a,,b/qmp.sock
        -mon chardev=qmp,mode=control
        -device virtio-rng-pci
        -device pvpanic-pci
        """,
        Show(Full, Accelerator.Tcg));

    [Fact]
    public void A_bare_guest_under_KVM_uses_the_processor_of_the_host()
    {
        string shown = Show(new GuestConfig { Name = "a", WorkDirectory = "/w", MemoryMiB = 64, Display = true, RestartOnReset = true }, Accelerator.Kvm);

        Assert.Contains("-accel kvm\n-cpu host\n", shown, StringComparison.Ordinal);
        Assert.Contains("-device VGA", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("-no-reboot", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("-netdev", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("-drive", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_guest_that_is_a_copy_has_the_others_memory_and_waits_for_its_state()
    {
        GuestConfig copy = Full with
        {
            MemoryFile = new GuestMemoryFile("/s/m,1", Shared: false), SavedState = "/s/state", StreamChannel = true, GenerationId = true,
            Credentials = new Dictionary<string, string> { ["agetty.autologin"] = "a,b" },
            Nics = [new GuestNic("/n/a"), new GuestNic("/n/b", "52:54:00:00:00:02")],
        };
        string shown = Show(copy, Accelerator.Tcg);

        Assert.Contains("-machine pc,vmport=off,memory-backend=memory\n", shown, StringComparison.Ordinal);
        Assert.Contains("-object memory-backend-file,id=memory,size=1024M,share=off,mem-path=/s/m,,1\n", shown, StringComparison.Ordinal);
        Assert.Contains("name=io.virtigo.stream\n", shown, StringComparison.Ordinal);
        Assert.Contains("-device vmgenid,guid=auto\n", shown, StringComparison.Ordinal);
        Assert.Contains("-smbios type=11,value=io.systemd.credential:agetty.autologin=a,,b\n", shown, StringComparison.Ordinal);
        Assert.Contains("mac=52:54:00:00:00:02,host_mtu=1500,addr=0x19,", shown, StringComparison.Ordinal);
        Assert.EndsWith("-incoming defer", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_processor_can_be_chosen() =>
        Assert.Contains("-cpu qemu64,+sse4.1", Show(Full with { CpuModel = "qemu64,+sse4.1" }, Accelerator.Tcg), StringComparison.Ordinal);

    private static string Show(GuestConfig config, Accelerator accelerator) =>
        string.Join('\n', QemuCommandLine.Build(config, accelerator).Select(ShellQuote.Word)).Replace("\n-", "\0-", StringComparison.Ordinal)
            .Replace('\n', ' ').Replace('\0', '\n');
}
