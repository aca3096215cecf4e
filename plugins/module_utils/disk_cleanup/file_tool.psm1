# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The few calls of Windows that PowerShell has no words for: look at a file, and let it go, by one handle.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

function Import-KeepwellFileTool {
    <#
    .SYNOPSIS
    Make [Keepwell.FileTool] known to this session.
    .DESCRIPTION
    A path can be turned into another one between a look and the next step: a user replaces his folder by a junction, and
    what SYSTEM deletes is somewhere else. So a file is opened once, without following anything; by that handle it is
    looked at, its true path is asked for, and by the same handle it is deleted. It is opened for nobody else, which
    fails while anybody has it open. No data of a file is read, so nothing is fetched back from a cloud.

    Take returns a word: '' when it went (or would have gone), else why it stays. C# 5: it is compiled on the host.
    #>
    [CmdletBinding()]
    param()
    if ('Keepwell.FileTool' -as [type]) {
        return
    }
    # Add-Type takes warnings for errors, and knows no more assemblies than System and PowerShell's own.
    Add-Type -TypeDefinition @'
#pragma warning disable 0169, 0649
using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Keepwell
{
    public sealed class Entry
    {
        public string Name;
        public uint Attributes;
        public long Size;
        public double Created;
        public double Written;
        public bool IsFolder { get { return (Attributes & FileTool.Directory) != 0; } }
        public bool IsLink { get { return (Attributes & FileTool.ReparsePoint) != 0; } }
        public bool IsElsewhere { get { return (Attributes & FileTool.Elsewhere) != 0; } }
        public double When { get { return Math.Max(Created, Written); } }
    }

    public sealed class Taken
    {
        public string Word = "";
        public long Bytes;
    }

    public sealed class Sum
    {
        public string Path;
        public long Bytes;
        public long Files;
    }

    public sealed class Sums
    {
        public Dictionary<string, Sum> Folders = new Dictionary<string, Sum>(StringComparer.OrdinalIgnoreCase);
        public long Entries;
        public string Partial = "";
    }

    public static class FileTool
    {
        public const uint ReadOnly = 0x1;
        public const uint Directory = 0x10;
        public const uint ReparsePoint = 0x400;
        // Offline, recall on open, recall on data access: the data are not here.
        public const uint Elsewhere = 0x1000 | 0x40000 | 0x400000;

        private const uint Delete = 0x10000;
        private const uint ReadAttributes = 0x80;
        private const uint WriteAttributes = 0x100;
        private const uint OpenExisting = 3;
        private const uint BackupSemantics = 0x02000000;
        private const uint OpenReparsePoint = 0x00200000;
        private const uint OpenNoRecall = 0x00100000;

        [StructLayout(LayoutKind.Sequential)]
        private struct Time
        {
            public uint Low;
            public uint High;
        }

        [StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
        private struct FindData
        {
            public uint Attributes;
            public Time Created;
            public Time Accessed;
            public Time Written;
            public uint SizeHigh;
            public uint SizeLow;
            public uint Tag;
            public uint Reserved;
            [MarshalAs(UnmanagedType.ByValTStr, SizeConst = 260)]
            public string Name;
            [MarshalAs(UnmanagedType.ByValTStr, SizeConst = 14)]
            public string ShortName;
        }

        [StructLayout(LayoutKind.Sequential)]
        private struct HandleInformation
        {
            public uint Attributes;
            public Time Created;
            public Time Accessed;
            public Time Written;
            public uint Volume;
            public uint SizeHigh;
            public uint SizeLow;
            public uint Links;
            public uint IndexHigh;
            public uint IndexLow;
        }

        [StructLayout(LayoutKind.Sequential)]
        private struct StandardInformation
        {
            public long AllocationSize;
            public long EndOfFile;
            public uint Links;
            [MarshalAs(UnmanagedType.U1)]
            public bool DeletePending;
            [MarshalAs(UnmanagedType.U1)]
            public bool IsFolder;
        }

        [StructLayout(LayoutKind.Sequential)]
        private struct BasicInformation
        {
            public long Created;
            public long Accessed;
            public long Written;
            public long Changed;
            public uint Attributes;
        }

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        private static extern SafeFileHandle CreateFileW(string path, uint access, uint share, IntPtr security, uint disposition, uint flags, IntPtr template);

        [DllImport("kernel32.dll", SetLastError = true)]
        private static extern bool GetFileInformationByHandle(SafeFileHandle handle, out HandleInformation information);

        [DllImport("kernel32.dll", SetLastError = true)]
        private static extern bool GetFileInformationByHandleEx(SafeFileHandle handle, int kind, out StandardInformation information, uint size);

        [DllImport("kernel32.dll", SetLastError = true)]
        private static extern bool SetFileInformationByHandle(SafeFileHandle handle, int kind, ref byte deleted, uint size);

        [DllImport("kernel32.dll", SetLastError = true)]
        private static extern bool SetFileInformationByHandle(SafeFileHandle handle, int kind, ref BasicInformation information, uint size);

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        private static extern uint GetFinalPathNameByHandleW(SafeFileHandle handle, StringBuilder path, uint size, uint flags);

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        private static extern IntPtr FindFirstFileExW(string path, int level, out FindData data, int search, IntPtr filter, uint flags);

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        private static extern bool FindNextFileW(IntPtr handle, out FindData data);

        [DllImport("kernel32.dll")]
        private static extern bool FindClose(IntPtr handle);

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        private static extern bool GetDiskFreeSpaceExW(string root, out ulong available, out ulong total, out ulong free);

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        private static extern bool GetVolumePathNameW(string path, StringBuilder volume, uint size);

        // What is in a folder, by name; an exception with the code of Windows where it cannot be read.
        public static List<Entry> List(string folder)
        {
            List<Entry> found = new List<Entry>();
            FindData data;
            IntPtr handle = FindFirstFileExW(Long(folder.TrimEnd('\\') + "\\*"), 1, out data, 0, IntPtr.Zero, 2);
            if (handle == new IntPtr(-1))
            {
                int code = Marshal.GetLastWin32Error();
                if (code == 2)
                {
                    return found;
                }
                throw new Win32Exception(code);
            }
            try
            {
                do
                {
                    if (data.Name != "." && data.Name != "..")
                    {
                        Entry entry = new Entry();
                        entry.Name = data.Name;
                        entry.Attributes = data.Attributes;
                        entry.Size = ((long)data.SizeHigh << 32) | data.SizeLow;
                        entry.Created = Seconds(data.Created);
                        entry.Written = Seconds(data.Written);
                        found.Add(entry);
                    }
                }
                while (FindNextFileW(handle, out data));
            }
            finally
            {
                FindClose(handle);
            }
            found.Sort(delegate(Entry left, Entry right) { return string.CompareOrdinal(left.Name, right.Name); });
            return found;
        }

        // '' for a folder that is where its path says, else absent, link or unreadable.
        public static string Check(string folder)
        {
            using (SafeFileHandle handle = CreateFileW(Long(folder), ReadAttributes, 7, IntPtr.Zero, OpenExisting, BackupSemantics | OpenReparsePoint, IntPtr.Zero))
            {
                if (handle.IsInvalid)
                {
                    int code = Marshal.GetLastWin32Error();
                    return code == 2 || code == 3 ? "absent" : "unreadable";
                }
                HandleInformation information;
                if (!GetFileInformationByHandle(handle, out information) || (information.Attributes & Directory) == 0)
                {
                    return "unreadable";
                }
                return (information.Attributes & ReparsePoint) != 0 || !IsAt(handle, folder) ? "link" : "";
            }
        }

        // Let a file or an empty folder go; written is when it was last written as it was seen before.
        public static Taken Take(string path, double written, bool folder, bool act)
        {
            Taken taken = new Taken();
            uint flags = OpenReparsePoint | OpenNoRecall | (folder ? BackupSemantics : 0);
            using (SafeFileHandle handle = CreateFileW(Long(path), Delete | ReadAttributes, 0, IntPtr.Zero, OpenExisting, flags, IntPtr.Zero))
            {
                if (handle.IsInvalid)
                {
                    taken.Word = Because(Marshal.GetLastWin32Error());
                    return taken;
                }
                HandleInformation information;
                StandardInformation standard;
                if (!GetFileInformationByHandle(handle, out information) || !GetFileInformationByHandleEx(handle, 1, out standard, (uint)Marshal.SizeOf(typeof(StandardInformation))))
                {
                    taken.Word = Because(Marshal.GetLastWin32Error());
                    return taken;
                }
                taken.Bytes = standard.AllocationSize;
                taken.Word = Against(handle, path, information, written, folder);
                if (taken.Word == "" && act)
                {
                    byte deleted = 1;
                    if (!SetFileInformationByHandle(handle, 4, ref deleted, 1))
                    {
                        int code = Marshal.GetLastWin32Error();
                        taken.Word = code == 5 ? "busy" : Because(code);
                    }
                }
                return taken;
            }
        }

        private static string Against(SafeFileHandle handle, string path, HandleInformation information, double written, bool folder)
        {
            if ((information.Attributes & ReparsePoint) != 0)
            {
                return "reparse";
            }
            if ((information.Attributes & Elsewhere) != 0)
            {
                return "cloud";
            }
            if (((information.Attributes & Directory) != 0) != folder)
            {
                return "changed";
            }
            if (!folder && information.Links > 1)
            {
                return "hardlink";
            }
            if (!folder && (information.Attributes & ReadOnly) != 0)
            {
                return "immutable";
            }
            if (!folder && Math.Abs(Seconds(information.Written) - written) > 0.001)
            {
                return "changed";
            }
            return IsAt(handle, path) ? "" : "changed";
        }

        // Remove a folder of our own with all that is in it: a link goes as a link. '' when nothing is left, else the first
        // path that is, and why. Paths of any length; what was moved elsewhere meanwhile is not touched.
        public static string Clear(string folder)
        {
            return Clear(folder.TrimEnd('\\'), 0);
        }

        private static string Clear(string folder, int depth)
        {
            if (depth > 2000)
            {
                return folder + " (too deep)";
            }
            List<Entry> found;
            try
            {
                found = List(folder);
            }
            catch (Win32Exception exception)
            {
                return folder + " (" + Because(exception.NativeErrorCode) + ")";
            }
            string left = "";
            foreach (Entry entry in found)
            {
                string path = folder + "\\" + entry.Name;
                string word = entry.IsFolder && !entry.IsLink ? Clear(path, depth + 1) : Remove(path);
                left = left == "" ? word : left;
            }
            return left == "" ? Remove(folder) : left;
        }

        private static string Remove(string path)
        {
            uint flags = OpenReparsePoint | OpenNoRecall | BackupSemantics;
            SafeFileHandle handle = CreateFileW(Long(path), Delete | ReadAttributes | WriteAttributes, 7, IntPtr.Zero, OpenExisting, flags, IntPtr.Zero);
            if (handle.IsInvalid && Marshal.GetLastWin32Error() == 5)
            {
                // Its own list may say less than that of the folder, which lets it go.
                handle = CreateFileW(Long(path), Delete | ReadAttributes, 7, IntPtr.Zero, OpenExisting, flags, IntPtr.Zero);
            }
            int code = Marshal.GetLastWin32Error();
            using (handle)
            {
                if (handle.IsInvalid)
                {
                    return code == 2 || code == 3 ? "" : path + " (" + Because(code) + ")";
                }
                HandleInformation information;
                if (!GetFileInformationByHandle(handle, out information) || !IsAt(handle, path))
                {
                    return path + " (changed)";
                }
                if ((information.Attributes & ReadOnly) != 0)
                {
                    BasicInformation plain = new BasicInformation();
                    plain.Attributes = 0x80;
                    SetFileInformationByHandle(handle, 0, ref plain, (uint)Marshal.SizeOf(typeof(BasicInformation)));
                }
                byte deleted = 1;
                if (!SetFileInformationByHandle(handle, 4, ref deleted, 1))
                {
                    return path + " (" + Because(Marshal.GetLastWin32Error()) + ")";
                }
                return "";
            }
        }

        // How large folders are, to so many levels; links, other volumes and what is in a cloud are left out.
        public static Sums Grown(string root, int levels, long entries, double seconds, string[] never)
        {
            Sums sums = new Sums();
            Dictionary<string, bool> left = new Dictionary<string, bool>(StringComparer.OrdinalIgnoreCase);
            foreach (string folder in never)
            {
                left[folder] = true;
            }
            Stack<KeyValuePair<string, int>> waiting = new Stack<KeyValuePair<string, int>>();
            Stopwatch clock = Stopwatch.StartNew();
            waiting.Push(new KeyValuePair<string, int>(root.TrimEnd('\\'), 0));
            while (waiting.Count > 0 && sums.Partial == "")
            {
                KeyValuePair<string, int> here = waiting.Pop();
                List<Entry> found;
                try
                {
                    found = List(here.Key);
                }
                catch (Win32Exception)
                {
                    continue;
                }
                foreach (Entry entry in found)
                {
                    sums.Entries++;
                    if (sums.Entries > entries || clock.Elapsed.TotalSeconds > seconds)
                    {
                        sums.Partial = sums.Entries > entries ? "entries" : "seconds";
                        break;
                    }
                    string path = here.Key + "\\" + entry.Name;
                    if (entry.IsLink || entry.IsElsewhere || left.ContainsKey(path))
                    {
                        continue;
                    }
                    if (entry.IsFolder)
                    {
                        waiting.Push(new KeyValuePair<string, int>(path, here.Value + 1));
                    }
                    else
                    {
                        Add(sums, root.TrimEnd('\\'), here.Key, here.Value, levels, entry.Size);
                    }
                }
            }
            return sums;
        }

        private static void Add(Sums sums, string root, string folder, int depth, int levels, long size)
        {
            while (true)
            {
                if (depth <= levels)
                {
                    Sum sum;
                    if (!sums.Folders.TryGetValue(folder, out sum))
                    {
                        sum = new Sum();
                        sum.Path = folder;
                        sums.Folders[folder] = sum;
                    }
                    sum.Bytes += size;
                    sum.Files++;
                }
                if (depth == 0)
                {
                    return;
                }
                folder = folder.Substring(0, folder.LastIndexOf('\\'));
                depth--;
            }
        }

        // Size, bytes that users can have, and free bytes of the volume with this root.
        public static long[] Space(string root)
        {
            ulong available, total, free;
            if (!GetDiskFreeSpaceExW(root.TrimEnd('\\') + "\\", out available, out total, out free))
            {
                throw new Win32Exception(Marshal.GetLastWin32Error());
            }
            return new long[] { (long)total, (long)available, (long)free };
        }

        // The mount point of the volume that a path is on: a letter with its backslash, a folder without.
        public static string Mount(string path)
        {
            StringBuilder volume = new StringBuilder(1024);
            if (!GetVolumePathNameW(path, volume, (uint)volume.Capacity))
            {
                return "";
            }
            string found = volume.ToString();
            return found.Length > 3 ? found.TrimEnd('\\') : found;
        }

        private static bool IsAt(SafeFileHandle handle, string path)
        {
            StringBuilder found = new StringBuilder(33000);
            uint length = GetFinalPathNameByHandleW(handle, found, (uint)found.Capacity, 0);
            if (length == 0 || length >= found.Capacity)
            {
                return false;
            }
            return string.Equals(found.ToString().TrimEnd('\\'), Long(path).TrimEnd('\\'), StringComparison.OrdinalIgnoreCase);
        }

        private static string Long(string path)
        {
            return path.StartsWith("\\\\", StringComparison.Ordinal) ? path : "\\\\?\\" + path;
        }

        private static double Seconds(Time time)
        {
            long ticks = ((long)time.High << 32) | time.Low;
            return (ticks - 116444736000000000L) / 10000000.0;
        }

        private static string Because(int code)
        {
            switch (code)
            {
                case 2: case 3: case 303: return "gone";
                case 5: return "denied";
                case 19: return "read_only";
                case 23: case 1117: case 1392: return "disk_error";
                case 32: case 33: return "open";
                case 145: return "not_empty";
                default: return "error";
            }
        }
    }
}
'@
}

Export-ModuleMember -Function '*-Keepwell*'
